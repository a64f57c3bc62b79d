import { expect, test } from 'vitest';

import { announces, JSON_TYPE, weightOf } from './negotiate.ts';

test.each([
  undefined,
  '',
  '*/*',
  'application/json',
  'Application/JSON',
  'application/*',
  'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
  'text/html, application/json;q=0.1',
  'application/json;q=0.001, */*;q=0',
  'application/*;q=0, application/json',
  '*/*;q=0, application/json',
  ' application/json ; q=1.0 , text/plain',
  'application/json; charset=utf-8',
  'text/plain,,*/*',
])('Accept: %s lets JSON through', (accept) => {
  expect(weightOf(JSON_TYPE, accept)).toBeGreaterThan(0);
});

test.each([
  'text/html',
  'text/html, text/*;q=0.5',
  'application/xml',
  'application/json;q=0',
  'application/json; Q=0.0',
  '*/*;q=0',
  'application/json;q=0, */*',
  'application/*;q=0, */*;q=1',
  'application/jsonx',
  'json',
])('Accept: %s excludes JSON', (accept) => {
  expect(weightOf(JSON_TYPE, accept)).toBe(0);
});

test.each([
  undefined,
  '',
  '*/*',
  'application/json',
  'application/JSON',
  'application/json; charset=utf-8',
  'application/json ;charset="utf-8"',
])('Content-Type: %s announces JSON', (contentType) => {
  expect(announces(contentType, [JSON_TYPE])).toBe(true);
});

test.each([
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain',
  'text/json',
  'application/json-patch+json',
  'application/*',
])('Content-Type: %s does not announce JSON', (contentType) => {
  expect(announces(contentType, [JSON_TYPE])).toBe(false);
});

test('a patch is announced by its own types, and by no other', () => {
  const types = ['application/merge-patch+json', 'application/json-patch+json'];
  expect(announces('Application/Merge-Patch+JSON; charset=utf-8', types)).toBe(true);
  for (const type of [undefined, '', '*/*', JSON_TYPE]) expect(announces(type, types)).toBe(false);
});

test('the range that fits best says how much a type is wanted', () => {
  const accept = 'text/event-stream;q=0.5, application/*;q=0.25, */*;q=0.125';
  expect(weightOf('text/event-stream', accept)).toBe(0.5);
  expect(weightOf(JSON_TYPE, accept)).toBe(0.25);
  expect(weightOf('image/png', accept)).toBe(0.125);
});
