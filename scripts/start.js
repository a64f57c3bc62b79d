// What `npm start` runs: the built program, or a line that says why there is none.
import { existsSync } from 'node:fs';

const program = new URL('../dist/bin/memhashd.js', import.meta.url);

if (existsSync(program)) await import(program);
else {
  console.error(
    'memhashd: it is not built. The compiler is among the development packages: run npm ci without ' +
      'NODE_ENV=production and --omit=dev, or npm run build.',
  );
  process.exitCode = 1;
}
