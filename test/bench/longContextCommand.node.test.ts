// longContextCommand.node.test.ts: `npm run bench:long-context` as a command: a small run, its help and its refusals.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function longContext(...args: string[]) {
  const run = ['scripts/runTs.mjs', 'scripts/longContext.ts', ...args];
  return spawnSync(process.execPath, run, { cwd: ROOT, encoding: 'utf8' });
}

test('says device, limits, cache, times and errors, on the guaranteed limits', () => {
  const { stdout, status } = longContext('--tokens', '2k');
  expect(stdout).toMatch(/bindings of 128 MiB, 8 storage buffers\n/);
  expect(stdout).toContain('2048 tokens, 8 query heads on one KV head of 64, int8, 8 pages of 256');
  expect(stdout).toMatch(/^check {4}right, worst error of o /m);
  expect(status).toBe(0);
});

// Adapters and too many arguments are refused as by every script: cliffsCommand.node.test.ts.
test.each([
  [['--tokens', '10'], 'expected a whole number of at least 1024', 1],
  [['--tokens', '32M'], 'cache: capacity: expected a whole number from 1 to 16777216', 1],
])('%j', (args, message, code) => {
  const { stdout, stderr, status } = longContext(...args);
  expect(stderr).toContain(message);
  expect([stdout, status]).toEqual(['', code]);
});
