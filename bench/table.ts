/** The table that the bench prints. */

import { isReached, OURS, ratioOf, type Bound, type Row, type Series } from './series.ts';

const HEADINGS = ['', 'value', '', 'ratio', 'bound', ''];

/** Lays out all series as one aligned table, each under its title. */
export function renderTable(series: readonly Series[]): string {
  const blocks = series.map((one) => ({ series: one, lines: one.rows.flatMap(linesOf(one)) }));
  const lines = [HEADINGS, ...blocks.flatMap((block) => block.lines)];
  const widths = HEADINGS.map((_, column) =>
    Math.max(...lines.map((line) => line[column]!.length)),
  );
  const layOut = (line: readonly string[]): string =>
    line
      .map((cell, at) =>
        at === 1 || at === 3 ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!),
      )
      .join('  ')
      .trimEnd();
  return [
    layOut(HEADINGS),
    ...blocks.map(({ series: { title, note }, lines: rows }) =>
      ['', title, ...rows.map(layOut), ...(note === undefined ? [] : [`  (${note})`])].join('\n'),
    ),
    '',
  ].join('\n');
}

/** One line a row; ours has a further one for each further bound. */
function linesOf(series: Series): (row: Row) => string[][] {
  return (row) => {
    const ratio = ratioOf(series, row);
    const cells = [
      `  ${row.system}`,
      formatFigure(row.value),
      series.unit,
      ratio === undefined ? '' : `${ratio.toFixed(2)}x`,
    ];
    const [first, ...rest] = row.system === OURS ? series.bounds : [];
    if (first === undefined) return [[...cells, '', '']];
    return [
      [...cells, ...boundCells(series, first)],
      ...rest.map((bound) => ['', '', '', '', ...boundCells(series, bound)]),
    ];
  };
}

function boundCells(series: Series, bound: Bound): [string, string] {
  const limit =
    bound.of === 'value' ? `${bound.bound} ${series.unit}` : `${formatFigure(bound.bound)}x`;
  const reached = isReached(series, bound);
  const verdict = reached === undefined ? 'not measured' : reached ? 'reached' : 'MISSED';
  return [`${bound.limit} ${limit}`, verdict];
}

/** Three digits or so: more would pretend to a precision that a shared machine does not have. */
export function formatFigure(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
