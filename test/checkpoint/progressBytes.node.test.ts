// progressBytes.node.test.ts: the bytes that a conversion says it has dealt with add up to those there are.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { convertShards, type Progress } from '../../src/checkpoint/convert/disk/job.ts';
import { CHECKPOINTS, writeCheckpoint } from '../support/checkpoints.ts';
import { withJob } from '../support/convertFolder.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-bytes-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['copied and rewritten', { hashFiles: false, kvHeads: 2 }],
  ['and hashed', { hashFiles: true, kvHeads: 2 }],
  ['nothing rewritten', { hashFiles: false, kvHeads: 4 }],
])('%s', async (_, options) => {
  const source = await writeCheckpoint(join(folder, 'source'), CHECKPOINTS.llama!, { shards: 3 });
  const said: Progress[] = [];
  await withJob(source, join(folder, 'out'), options, (job) =>
    convertShards({ ...job, onProgress: (progress) => void said.push(progress) }, { index: 0, of: 1 }),
  );
  const [{ total }] = said as [Progress];
  expect(said.map((each) => each.total)).toEqual(said.map(() => total));
  expect(said.map(({ done }) => done)).toEqual(said.map(({ done }) => done).toSorted((a, b) => a - b));
  expect(said.at(-1)!.done).toBe(total);
});
