/** `POST /v1/keys/{key}/expire`: gives a record another time to live and leaves the rest as it is. */

import { failure } from '../base/errors.ts';
import { documentForm, ttlOf } from './document.ts';
import { servingDocument } from './serve.ts';

/** `{"expire_time": "1h"}` */
const EXPIRE_DOCUMENT = documentForm<{ readonly ttlNs: bigint }>('Expire', (body, [expireTime]) => {
  const ttlNs = ttlOf(body, expireTime);
  if (ttlNs === undefined) return failure('INVALID_EXPIRE_TIME', 'expire_time is missing');
  return typeof ttlNs === 'bigint' ? { ttlNs } : ttlNs;
});

/** Counts from now, 0 for a record that stays. */
export const expireRecord = servingDocument(EXPIRE_DOCUMENT, (key, { ttlNs }, terms) => {
  return { action: 'expire', key, ttlNs, ...terms };
});
