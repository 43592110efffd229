// memory.node.test.ts: more than memory or a text can hold is an error that says how much, before anything is read.
import { constants } from 'node:buffer';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { checkPlan } from '../../src/checkpoint/convert/disk/job.ts';
import { openModelFolder } from '../../src/checkpoint/convert/disk/modelFolder.ts';
import { findAttention } from '../../src/checkpoint/find/findAttention.ts';
import { planConversion } from '../../src/checkpoint/convert/plan.ts';
import { reportError } from '../../src/node/command/reportError.ts';
import { allocate, readText } from '../../src/files/memory.ts';
import { CHECKPOINTS, writeCheckpoint } from '../support/checkpoints.ts';
import { message } from '../support/failure.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { CheckpointError } from '../../src/checkpoint/format/checkpointError.ts';

const folder = mkdtempSync(join(tmpdir(), 'gqa-memory-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('memory', () => {
  test('as much as was asked for, or an error with both numbers', () => {
    expect(allocate(8).byteLength).toBe(8);
    const most = constants.MAX_LENGTH;
    expect(() => allocate(most + 2)).toThrow(`needs ${most + 2} bytes of memory in one piece`);
  });
});

test('what V8 says for want of memory comes without its stack', () => {
  const lines: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  expect(reportError(new RangeError('Array buffer allocation failed'))).toBe(1);
  vi.restoreAllMocks();
  expect(lines).toEqual(['error: not enough memory: Array buffer allocation failed\n']);
});

describe('texts', () => {
  const large = join(folder, 'large.json');

  test.each([
    ['compare', large, large],
    ['kv', large],
    ['bench', '-m', large],
    ['tune', '-m', large],
  ])('gqa %s with a file that no text can hold', async (...args) => {
    writeFileSync(large, '{');
    truncateSync(large, 4 * 2 ** 30);
    const { err, code } = await gqaMain(...args);
    expect(err).toContain('large.json: expected a readable');
    expect(err).toContain(
      `has 4294967296 bytes, and a text can have ${constants.MAX_STRING_LENGTH} characters`,
    );
    expect(code).toBe(1);
  });

  test('others come as they are', () => {
    writeFileSync(join(folder, 'text'), 'ä€');
    expect(readText(join(folder, 'text'))).toBe('ä€');
  });
});

test('a tensor to convert that is larger than memory can be is refused before anything is written', async () => {
  const path = await writeCheckpoint(join(folder, 'model'), CHECKPOINTS['llama']!);
  const model = await openModelFolder(path);
  const attention = findAttention(model.tensors, model.config, path);
  const options = { kvHeads: 2, method: 'mean', grouping: 'neighbours', headMap: 'contiguous' } as const;
  const plan = planConversion(attention, model.tensors, { ...options, renorm: true, seed: 1 }, path);
  checkPlan({ model, plan });
  const [name, tensorPlan] = [...plan.tensors].find(([, { rewrite }]) => rewrite)!;
  const tensor = { ...tensorPlan.tensor, shape: [2 ** 26, 2 ** 26] };
  const huge = { ...plan, tensors: new Map([[name, { ...tensorPlan, tensor }]]) };
  expect(await message(CheckpointError, async () => checkPlan({ model, plan: huge }))).toMatch(
    new RegExp(`tensor "${name}": \\w+ \\[67108864, 67108864\\] needs \\d+ bytes of memory in one piece`),
  );
});
