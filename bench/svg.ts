/** Bar charts as SVG, readable on a light and on a dark page. */

import { boundValue, OURS, type Series } from './series.ts';
import { formatFigure } from './table.ts';

const WIDTH = 720;
const LABEL_WIDTH = 170;
const FIGURE_WIDTH = 110;
const BAR_HEIGHT = 22;
const ROW_HEIGHT = 32;
const TITLE_HEIGHT = 44;

const STYLE = `
  text { font: 14px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 16px }
  .other { fill: #8c959f }
  .ours { fill: #1f6feb }
  .bound { stroke: #d1242f; stroke-width: 2; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
`;

/** Draws a series: one bar a system, and a line at each bound that is set for ours. */
export function renderChart(series: Series): string {
  const { title, unit, rows } = series;
  const bounds = series.bounds
    .map((bound) => boundValue(series, bound))
    .filter((value) => value !== undefined);
  const longest = Math.max(...rows.map((row) => row.value), ...bounds);
  const scale = (WIDTH - LABEL_WIDTH - FIGURE_WIDTH) / longest;
  const height = TITLE_HEIGHT + rows.length * ROW_HEIGHT + 8;
  const bars = rows.map(({ system, value }, at) => {
    const y = TITLE_HEIGHT + at * ROW_HEIGHT;
    const width = Math.max(1, value * scale);
    const middle = y + BAR_HEIGHT / 2 + 5;
    return [
      `<text x="${LABEL_WIDTH - 10}" y="${middle}" text-anchor="end">${escape(system)}</text>`,
      `<rect class="${system === OURS ? 'ours' : 'other'}" x="${LABEL_WIDTH}" y="${y}" ` +
        `width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="3"/>`,
      `<text x="${(LABEL_WIDTH + width + 8).toFixed(1)}" y="${middle}">` +
        `${formatFigure(value)} ${escape(unit)}</text>`,
    ].join('\n');
  });
  const lines = bounds.map((value) => {
    const x = (LABEL_WIDTH + value * scale).toFixed(1);
    return `<line class="bound" x1="${x}" y1="${TITLE_HEIGHT - 6}" x2="${x}" y2="${height - 6}"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>${escape(title)}</title>
<style>${STYLE}</style>
<text class="title" x="10" y="24">${escape(title)}</text>
${[...bars, ...lines].join('\n')}
</svg>
`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
