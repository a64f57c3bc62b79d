/** Taking the address of a flag. */

import { formatAddress, type Address } from '../net/address.ts';
import { describeNetworkError } from '../net/network-error.ts';
import type { Config } from './config.ts';

/**
 * Lets `listener` listen at the address of a flag; gives that, with the port that the system chose.
 *
 * @throws Error that names the flag, and says why it cannot.
 */
export async function listenAt(
  listener: { listen(address: Address): Promise<Address> },
  flag: 'server-addr' | 'client-addr',
  config: Config,
): Promise<Address> {
  try {
    return await listener.listen(config[flag]);
  } catch (error) {
    const addr = formatAddress(config[flag]);
    throw new Error(`-${flag} ${addr}: ${describeNetworkError(error)}`, { cause: error });
  }
}
