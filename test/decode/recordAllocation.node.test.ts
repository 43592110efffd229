// recordAllocation.node.test.ts: recording a step or an append of a known plan makes no garbage, whatever the batch.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

// Bytes a call: half of the smallest object, a boxed number. A page taken every 256 appends has its share.
const NOISE = 8;

test('recording makes no garbage', () => {
  const run = ['scripts/runTs.mjs', 'test/support/recordingGarbage.ts', `${NOISE}`];
  const { stdout, stderr } = spawnSync(process.execPath, run, { cwd: ROOT, encoding: 'utf8' });
  const [line] = stdout.split('\n').filter((text) => text.startsWith('{'));
  if (line === undefined) throw new Error(stderr);
  const { smallObject, ...calls } = JSON.parse(line) as Record<string, number>;
  expect(Object.keys(calls)).toEqual(['step1', 'step64', 'append', 'pagedAppend']);
  for (const [name, bytes] of Object.entries(calls)) expect(bytes, name).toBeLessThan(NOISE);
  expect(smallObject, 'one object a call is seen').toBeGreaterThan(NOISE);
});
