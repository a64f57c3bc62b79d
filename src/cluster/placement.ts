/** Placement: which member owns which partition, by rendezvous hashing. */

/**
 * The owner of every partition, as a position in `members`: for each partition every member draws a
 * weight, and the highest owns it. A member's weights depend on its own address only, so one that is
 * added takes partitions over and moves none between the others.
 *
 * The weights of a member are the ranks 0 to `partitions` − 1 in an order shuffled by its address:
 * no member draws better weights than another, and so their shares differ much less than by chance.
 *
 * @param members addresses, without repeats, in the order that the result refers to.
 */
export function placePartitions(members: readonly string[], partitions: number): Uint16Array {
  const owners = new Uint16Array(partitions);
  const seeds = members.map(hash);
  const best = new Int32Array(partitions).fill(-1);
  const ranks = new Int32Array(partitions);
  for (const [member, seed] of seeds.entries()) {
    shuffle(ranks, seed);
    for (let partition = 0; partition < partitions; partition++) {
      const rank = ranks[partition]!;
      if (rank < best[partition]!) continue;
      const rival = seeds[owners[partition]!]!;
      if (rank === best[partition]! && !winsTie(partition, seed, rival)) continue;
      best[partition] = rank;
      owners[partition] = member;
    }
  }
  return owners;
}

/** Fills `ranks` with 0, 1, 2 … in an order that `seed` decides (Fisher and Yates). */
function shuffle(ranks: Int32Array, seed: number): void {
  for (let at = 0; at < ranks.length; at++) {
    const other = Math.floor((mix(seed ^ mix(at)) / 2 ** 32) * (at + 1));
    ranks[at] = ranks[other]!;
    ranks[other] = at;
  }
}

/** Decides between two members with the same rank, the same way in whatever order they come. */
function winsTie(partition: number, seed: number, rival: number): boolean {
  return mix(seed ^ mix(~partition)) > mix(rival ^ mix(~partition));
}

/** FNV-1a over the characters, then mixed: similar addresses give unrelated numbers. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  return mix(value);
}

/** Spreads every bit of `value` over the 32 bits of the result (the finaliser of MurmurHash3). */
function mix(value: number): number {
  let bits = value ^ (value >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
