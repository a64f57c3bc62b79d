/** CRC-32C (Castagnoli), by which LevelDB tells whether its files are as they were written. */

/** The CRC of each byte when none, one, two or three zero bytes follow it. */
const TABLES = [firstTable()];
for (let zeros = 1; zeros < 4; zeros++) {
  TABLES.push(TABLES[zeros - 1]!.map((crc) => (crc >>> 8) ^ TABLES[0]![crc & 0xff]!));
}
const [T0, T1, T2, T3] = TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];

function firstTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82_f6_3b_78 : 0);
    return crc;
  });
}

/** The CRC of some of the bytes; four a step, whose look-ups need not wait for each other. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffffffff;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = T3[crc & 0xff]! ^ T2[(crc >>> 8) & 0xff]! ^ T1[(crc >>> 16) & 0xff]! ^ T0[crc >>> 24]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ T0[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

/** What LevelDB stores for a CRC, so that the CRC of bytes with CRCs in them is a good one. */
export function unmask(masked: number): number {
  const rotated = (masked - 0xa2_82_ea_d8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}
