// cliffsCommand.node.test.ts: `npm run bench:cliffs` as a command: its help and its refusals. It measures; no test runs it whole.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function cliffs(...args: string[]) {
  const run = ['scripts/runTs.mjs', 'scripts/cliffs.ts', ...args];
  return spawnSync(process.execPath, run, { cwd: ROOT, encoding: 'utf8' });
}

test('--help says what it times and when it fails', () => {
  const { stdout, status } = cliffs('--help');
  expect(stdout).toMatch(/exit\s+code\s+1\s+when\s+time\s+jumps/);
  expect(stdout).toContain('--adapter');
  expect(status).toBe(0);
});

test.each([
  [['--depth', '63'], 'expected a whole number from 64 to', 1],
  [['extra'], 'too many arguments', 1],
  [['--adapter', 'no such card'], '"no such card"', 3],
])('%j', (args, message, code) => {
  const { stdout, stderr, status } = cliffs(...args);
  expect(stderr).toContain(message);
  expect([stdout, status]).toEqual(['', code]);
});
