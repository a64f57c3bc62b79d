// Succeeds if the node of this container serves clients: node health.mjs [PORT]
import http from 'node:http';
import https from 'node:https';

const port = process.argv[2] ?? /\d+$/.exec(process.env.MEMHASHD_CLIENT_ADDR ?? '')?.[0] ?? '8001';

/** Asks whether the node is ready, which takes no token. */
function ask(protocol) {
  return new Promise((resolve, reject) => {
    // Whose certificate it is does not matter here: nothing is told, and little is asked.
    const options = { port, path: '/readyz', rejectUnauthorized: false, timeout: 2000 };
    protocol
      .get(options, (res) => (res.statusCode === 200 ? resolve() : reject(new Error(res.statusMessage))))
      .on('timeout', () => reject(new Error('no answer')))
      .on('error', reject);
  });
}

process.exit(await Promise.any([ask(http), ask(https)]).then(() => 0, () => 1));
