/** `GET /docs`: the API as one page for people, which loads nothing and runs no script. */

import { createHash } from 'node:crypto';

import { failureTitle, httpStatus, isFailure } from '../base/errors.ts';
import { headerLine } from '../http/exchange.ts';
import { byteString, sendFailure } from './answer.ts';
import { failuresOf, offersOf } from './openapi.ts';
import { PARAMETERS, REQUEST_HEADERS } from './parameters.ts';
import { SCHEMAS, type Schema, type SchemaName } from './schemas.ts';
import type { Offer, Row, Visit } from './visit.ts';

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#ddd, #444); --soft: light-dark(#f6f6f4, #222);
  --ink: light-dark(#222, #e6e6e6); --mute: light-dark(#666, #aaa) }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin: 2.5rem 0 .5rem; font-size: 1.1rem } h3 { margin: 1rem 0 .25rem; font-size: .9rem; color: var(--mute) }
code, pre, summary b { font-family: ui-monospace, monospace; font-size: .9em }
p { margin: .25rem 0 } header p { color: var(--mute) }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; overflow: hidden }
summary { cursor: pointer; padding: .5rem .75rem; background: var(--soft) }
summary b { display: inline-block; min-width: 4.5rem } summary span { color: var(--mute); margin-left: .75rem }
details > div { padding: .25rem .75rem .75rem } details:target { border-color: var(--ink) }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
td { border-top: 1px solid var(--line); padding: .25rem .75rem .25rem 0; vertical-align: top } td:first-child { white-space: nowrap; width: 1% }
pre { background: var(--soft); border-radius: 6px; padding: .5rem .75rem; overflow-x: auto; margin: .25rem 0 }
`;

/** Nothing is loaded, sent or framed; the only style is the one above. */
const POLICY =
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; ` +
  `base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const HEAD =
  headerLine('Content-Type', 'text/html; charset=utf-8') +
  headerLine('Content-Security-Policy', POLICY) +
  headerLine('X-Content-Type-Options', 'nosniff') +
  headerLine('Referrer-Policy', 'no-referrer');

/** Answers the page. */
export function showDocs(visit: Visit, rows: readonly Row[]): void {
  const parameters = visit.parameters();
  if (isFailure(parameters)) return sendFailure(visit.exchange, parameters);
  return visit.exchange.send(200, HEAD, byteString(renderPage(rows)));
}

function renderPage(rows: readonly Row[]): string {
  const sections = rows.map((row) => {
    const operations = [...offersOf([row])].map(({ method, offer }) =>
      renderOperation(row.path, method, offer),
    );
    return `<h2><code>${escape(row.path)}</code></h2>\n${operations.join('\n')}`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>memhashd: HTTP API</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>memhashd</h1>
<p>The HTTP API of this node. For programs: <a href="/openapi.json">/openapi.json</a>. Every GET serves HEAD too, every path OPTIONS.</p>
</header>
<main>
${sections.join('\n')}
</main>
</body>
</html>
`;
}

function renderOperation(path: string, method: string, offer: Offer): string {
  const { right, about, query = [], headers = [], body, types, answer, answers } = offer;
  const parts = [
    `<p>${right === undefined ? 'Open to everybody.' : `Takes the right <code>${right}</code>.`}</p>`,
    renderTable(
      'Parameters',
      query.map((name) => [name, PARAMETERS[name].about]),
    ),
    renderTable(
      'Headers',
      headers.map((name) => [name, REQUEST_HEADERS[name].about]),
    ),
    body === undefined ? '' : renderDocument(`Body${typesOf(types)}`, body),
    answer === undefined
      ? `<h3>Answer${typesOf(answers)}</h3>`
      : renderDocument(`Answer${typesOf(answers)}`, answer),
    renderTable(
      'Failures',
      failuresOf(path, offer).map((code) => [
        `${httpStatus(code)} ${code}`,
        `${failureTitle(code)}.`,
      ]),
    ),
  ];
  return (
    `<details id="${escape(`${method} ${path}`)}"><summary><b>${method}</b><span>${text(about)}</span></summary>` +
    `<div>${parts.join('\n')}</div></details>`
  );
}

function typesOf(types: readonly string[] | undefined): string {
  return types === undefined ? '' : `: ${types.join(' or ')}`;
}

function renderTable(title: string, rows: readonly (readonly [string, string])[]): string {
  if (rows.length === 0) return '';
  const lines = rows.map(
    ([name, about]) => `<tr><td><code>${escape(name)}</code></td><td>${text(about)}</td></tr>`,
  );
  return `<h3>${title}</h3><table>${lines.join('')}</table>`;
}

function renderDocument(title: string, name: SchemaName): string {
  const { description } = SCHEMAS[name] as Schema;
  const about = typeof description === 'string' ? `<p>${text(description)}</p>` : '';
  return `<h3>${title}</h3>${about}<pre>${escape(sketch(SCHEMAS[name]))}</pre>`;
}

/** A schema in short: its members with what they are. */
function sketch(schema: Schema, indent = ''): string {
  const {
    $ref,
    type,
    properties,
    items,
    anyOf,
    enum: values,
  } = schema as {
    $ref?: string;
    type?: string;
    properties?: Record<string, Schema>;
    items?: Schema;
    anyOf?: readonly Schema[];
    enum?: readonly unknown[];
  };
  if ($ref !== undefined) {
    const name = $ref.slice($ref.lastIndexOf('/') + 1);
    return name in SCHEMAS && name !== 'Duration'
      ? sketch(SCHEMAS[name as SchemaName], indent)
      : name;
  }
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(' | ');
  if (anyOf !== undefined) return anyOf.map((one) => sketch(one, indent)).join(' | ');
  if (items !== undefined) return `[${sketch(items, indent)}, …]`;
  if (properties === undefined) return type ?? 'any JSON';
  const inner = `${indent}  `;
  const members = Object.entries(properties).map(
    ([name, member]) => `${inner}${JSON.stringify(name)}: ${sketch(member, inner)}`,
  );
  return `{\n${members.join(',\n')}\n${indent}}`;
}

/** Text with code between backticks. */
function text(written: string): string {
  return escape(written).replaceAll(/`([^`]*)`/g, '<code>$1</code>');
}

function escape(written: string): string {
  return written.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
