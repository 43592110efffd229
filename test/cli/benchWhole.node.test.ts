// benchWhole.node.test.ts: `gqa bench --whole` as a command: models with and without a checkpoint, formats, refusals.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { WholeResult } from '../../bench/schema/wholeSchema.ts';
import { writeExampleFiles } from '../support/exampleFiles.ts';
import { gqaMain } from '../support/gqaMain.ts';

let folder: string;
let before: string;

beforeAll(async () => {
  before = process.cwd();
  folder = mkdtempSync(join(tmpdir(), 'gqa-whole-'));
  process.chdir(folder);
  await writeExampleFiles();
});

afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const whole = (...args: string[]) => gqaMain('bench', '--whole', ...args);
const SHORT = ['-d', '16', '-r', '2'];

describe('a checkpoint', () => {
  test('has a row for its own heads and for each number and method, and where the time goes', async () => {
    const { out, code } = await whole(
      './smollm',
      ...SHORT,
      '--kv-heads',
      '8,2',
      '--method',
      'mean,pca',
      '--export-json',
      'run.json',
    );
    expect(code).toBeUndefined();
    const rows = out.split('\n').filter((line) => line.startsWith('| mha') || line.startsWith('| gqa'));
    expect(rows.map((line) => line.split('|')[2]!.trim())).toEqual([
      '8',
      '2 (mean)',
      '2 (pca)',
      '8',
      '2 (mean)',
      '2 (pca)',
    ]);
    expect(out).toContain('weights as the checkpoint has them');
    const result = JSON.parse(readFileSync('run.json', 'utf8')) as WholeResult;
    expect(result.schema).toBe('gqa-whole/1');
    expect(result.results.map(({ id }) => id)).toEqual(['kv8_b1_d16', 'kv2_mean_b1_d16', 'kv2_pca_b1_d16']);
    expect(result.results.every(({ time }) => time)).toBe(true);
  });
});

describe('random weights', () => {
  test('a config.json is enough; jsonl and csv have a line per row', async () => {
    const config = JSON.parse(readFileSync('smollm/config.json', 'utf8')) as object;
    writeFileSync('small.json', JSON.stringify(config));
    const { out } = await whole(
      'small.json',
      ...SHORT,
      '--kv-heads',
      '4',
      '-o',
      'jsonl',
      '--weight-type',
      'int8',
    );
    const row = JSON.parse(out) as {
      id: string;
      params: { weightType: string };
      context: WholeResult['context'];
    };
    expect(row.id).toBe('kv4_b1_d16');
    expect(row.params.weightType).toBe('int8');
    expect(row.context.randomWeights).toBe(true);
    const args = ['small.json', ...SHORT, '--kv-heads', '4', '--weight-type', 'int8'];
    const { out: csv } = await whole(...args, '-o', 'csv');
    expect(csv.trim().split('\n')).toHaveLength(2);
  });
});

test('prompts are rows of their own, in place of the standard depths', async () => {
  const args = ['-p', '6', '-r', '2', '--kv-heads', '8,2'];
  const { out, code } = await whole('./smollm', ...args, '--export-json', 'prompts.json');
  expect(code).toBeUndefined();
  const rows = out.split('\n').filter((line) => line.includes('prefill @ p6'));
  expect(rows.map((line) => line.split('|')[2]!.trim())).toEqual(['8', '2 (mean)']);
  expect(out).not.toContain('decode @');
  const { results } = JSON.parse(readFileSync('prompts.json', 'utf8')) as WholeResult;
  expect(results.map(({ id }) => id)).toEqual(['kv8_b1_pp6', 'kv2_mean_b1_pp6']);
});

describe('refusals', () => {
  test.each([
    [['mixtral-8x7b'], 'no more than the attention of mixtral-8x7b is known'],
    [['nowhere'], 'no preset, file or folder is called "nowhere"'],
    [['book.txt'], 'book.txt'],
    [['./smollm', '--heads', '8'], "cannot be used with option '--heads"],
    [['./smollm', '--requests', '2q1s4k'], "cannot be used with option '--requests"],
    [['./smollm', '--kv-heads', '3'], 'heads (8) must be a multiple of kv-heads (3)'],
    [['./smollm', '-ctk', 'f16,f32'], 'expected one type with --whole'],
  ])('%j', async (args, text) => {
    const { err, out, code } = await whole(...args, ...SHORT);
    expect(err).toContain(text);
    expect(out).toBe('');
    expect(code).toBe(1);
  });

  test('options of whole models alone want --whole', async () => {
    for (const args of [
      ['--method', 'pca'],
      ['--weight-type', 'f32'],
    ]) {
      const { err, code } = await gqaMain('bench', ...args);
      expect(err).toContain('--whole');
      expect(code).toBe(1);
    }
  });
});
