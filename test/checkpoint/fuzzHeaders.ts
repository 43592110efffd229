// fuzzHeaders.ts: opens 100,000 damaged safetensors files with the real loader: no crash, no hang, no large allocation.
//
//   npm run fuzz -- [rounds] [seed]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzzHeaders } from '../support/headerFuzz.ts';

const [rounds = 100_000, seed = 1] = process.argv.slice(2).map(Number);
const MOST_MS = 2000;
const MOST_BYTES = 100e6;

const folder = mkdtempSync(join(tmpdir(), 'gqa-fuzz-'));
const start = performance.now();
try {
  const { read, refused, slowestMs, largestGrowth } = await fuzzHeaders(folder, rounds, seed);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  process.stdout.write(
    `${rounds} files, seed ${seed}: ${read} read, ${refused} refused, none crashed (${seconds} s)\n` +
      `slowest ${slowestMs.toFixed(0)} ms, largest growth of memory by one file ${(largestGrowth / 1e6).toFixed(1)} MB\n`,
  );
  if (slowestMs > MOST_MS || largestGrowth > MOST_BYTES) {
    process.stderr.write(`over the limits of ${MOST_MS} ms and ${MOST_BYTES / 1e6} MB\n`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
