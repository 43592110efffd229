// freeSpace.node.test.ts: room on a disk, of folders that are there and of others.
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freeSpace } from '../../src/files/freeSpace.ts';

test('a folder that is not there has the room of the one that it will be in', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gqa-space-'));
  try {
    const { blocks, bsize } = statfsSync(folder);
    for (const path of [folder, join(folder, 'a', 'b')]) {
      const free = await freeSpace(path);
      expect(free).toBeGreaterThan(0);
      expect(free).toBeLessThanOrEqual(blocks * bsize);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
