import { expect, test } from 'vitest';

import { keyFromText } from '../base/key.ts';
import { brokenCondition, preconditionFailed } from './condition.ts';
import { NO_META } from './reply.ts';
import type { Condition } from './request.ts';
import { versionOf } from './version.ts';

const meta = { ...NO_META, index: 3, createdAt: 77 };
const current = versionOf(meta);

// RFC 9110 §13.1.1, §13.1.2 and, for the order, §13.2.2.
test.each<[Condition | undefined, keyof Condition | undefined, keyof Condition | undefined]>([
  [undefined, undefined, undefined],
  [{}, undefined, undefined],
  [{ ifMatch: '*' }, undefined, 'ifMatch'],
  [{ ifMatch: [current] }, undefined, 'ifMatch'],
  [{ ifMatch: ['other', current] }, undefined, 'ifMatch'],
  [{ ifMatch: ['other'] }, 'ifMatch', 'ifMatch'],
  [{ ifMatch: [] }, 'ifMatch', 'ifMatch'],
  [{ ifNoneMatch: '*' }, 'ifNoneMatch', undefined],
  [{ ifNoneMatch: [current] }, 'ifNoneMatch', undefined],
  [{ ifNoneMatch: ['other'] }, undefined, undefined],
  [{ ifMatch: ['other'], ifNoneMatch: '*' }, 'ifMatch', 'ifMatch'],
  [{ ifMatch: '*', ifNoneMatch: [current] }, 'ifNoneMatch', 'ifMatch'],
])('%j is broken by %s for a record, by %s where there is none', (condition, record, none) => {
  expect(brokenCondition(condition, meta)).toBe(record);
  expect(brokenCondition(condition, undefined)).toBe(none);
});

test('the failure says what the record is', () => {
  const request = { action: 'delete', key: keyFromText('é')! } as const;
  expect(preconditionFailed(request, meta)).toMatchObject({
    code: 'PRECONDITION_FAILED',
    detail: `unable to delete é key, é is at version "${current}"`,
  });
  expect(preconditionFailed(request, undefined)).toMatchObject({
    detail: 'unable to delete é key, é does not exist',
  });
});
