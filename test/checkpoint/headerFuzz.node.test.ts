// headerFuzz.node.test.ts: some thousands of damaged headers; `npm run fuzz` runs a hundred thousand.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fuzzHeaders } from '../support/headerFuzz.ts';

test('damaged files are read with all tensors inside them, or refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gqa-fuzz-'));
  try {
    const { read, refused, largestGrowth } = await fuzzHeaders(folder, 2500, 7);
    // Both happen: a changed letter of a name is harmless, most else is not.
    expect(read).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(1500);
    expect(largestGrowth).toBeLessThan(100e6);
  } finally {
    await rm(folder, { recursive: true });
  }
});
