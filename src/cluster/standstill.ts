/** Standstill: whether a handover does not go on, and has to be given up. */

import { HANDOVER_STUCK_MS } from '../base/limits.ts';
import { livePart, type Handover } from './state.ts';

export class Standstill {
  /** Since when nothing has gone on, and what it was then. */
  #last = { text: '', sinceMs: 0 };

  /** Looks at how far things are now; gives the reason to give up, if there is one. */
  look(state: Handover, nowMs: number): string | undefined {
    const part = livePart(state.part);
    const blockers = blockersOf(state);
    const text = part === null ? '' : JSON.stringify([part.phase, blockers]);
    if (text !== this.#last.text) this.#last = { text, sinceMs: nowMs };
    if (part === null || nowMs - this.#last.sinceMs < HANDOVER_STUCK_MS) return undefined;
    // Copies may take their time; an agreement, or a party that is out of reach, may not.
    if (part.phase !== 'agreed' && blockers.length === 0) return undefined;
    return `it has waited too long for ${blockers.join(', ') || 'the others'}`;
  }
}

/** The parties of a handover that are out of reach. */
function blockersOf({ part, address, peers }: Handover): string[] {
  const parties = Object.keys(livePart(part)?.plan.next.lives ?? {});
  return parties.filter((party) => party !== address && peers[party]?.isUp !== true);
}
