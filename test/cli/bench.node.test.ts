// bench.node.test.ts: `gqa bench` as a command: its formats, its file, its refusals.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BenchResult } from '../../bench/schema/schema.ts';
import { gqaMain } from '../support/gqaMain.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-bench-'));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = undefined;
});

const bench = (...args: string[]) => gqaMain('bench', ...args);

const SMALL = ['--heads', '8', '--kv-heads', '8,2,1', '--head-dim', '16', '-d', '64', '--reps', '2'];

describe('a small run', () => {
  test('prints a checked table, progress apart from it, and exports the whole result', async () => {
    const file = join(folder, 'run.json');
    const { out, err, code } = await bench(...SMALL, '--label', 'a desk', '--export-json', file);
    expect(code).toBeUndefined();
    expect(out).toContain('check    3/3 outputs within bound of the float64 reference');
    const rows = out.split('\n').filter((line) => line.startsWith('| custom'));
    expect(rows.map((line) => line.split('|')[2]!.trim())).toEqual(['mha', 'gqa', 'mqa']);
    expect(rows[0]).toContain('1.00×');
    expect(rows[2]).toContain('(8.00×)');
    expect(err).toContain('preparing mqa @ d64');
    expect(out).not.toContain('preparing');
    const result = JSON.parse(readFileSync(file, 'utf8')) as BenchResult;
    expect(result.schema).toBe('gqa-bench/1');
    expect(result.context.label).toBe('a desk');
    expect(result.context.nonStandard).toEqual({
      heads: '8',
      'kv-heads': '8,2,1',
      'head-dim': '16',
      depth: '64',
      reps: '2',
    });
    expect(result.results.map((row) => row.time!.samplesNs.length)).toEqual([2, 2, 2]);
    expect(readdirSync(folder)).toEqual(['run.json']);
  });

  test('as jsonl has one object per row, with its context', async () => {
    const { out } = await bench(
      ...SMALL,
      '--kv-heads',
      '8',
      '-o',
      'jsonl',
      '-ctk',
      'f32',
      '--kernel',
      'auto,plain',
    );
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as BenchResult & { id: string; params: { vType: string } });
    expect(lines.map((line) => line.id)).toEqual(['h8_kv8_d16_t64_f32', 'h8_kv8_d16_t64_f32_plain']);
    for (const line of lines) {
      expect(line.schema).toBe('gqa-bench/1');
      expect(line.context.seed).toBe(42);
      expect(line.params.vType).toBe('f32'); // -ctv follows -ctk
    }
  });

  test('with pages, a window, features and a prompt has a checked row for each, and what it costs', async () => {
    const args = ['--kv-heads', '2', '--page-size', '0,16', '--window', '32', '--features', 'softcap+bias'];
    const { out, code } = await bench(...SMALL, ...args, '-p', '24');
    expect(code).toBeUndefined();
    expect(out).toContain('check    4/4 outputs within bound of the float64 reference');
    expect(out).toContain('| attn @ d64, pages of 16, window 32, softcap, bias ');
    expect(out).toContain('| prefill @ p24, window 32, softcap, bias ');
    expect(out).toContain('| tokens/s | ');
    expect(out).toContain(
      'not the standard run (heads, kv-heads, head-dim, depth, prompt, page-size, window, features, reps)',
    );
  }, 60_000);

  test("a row past the adapter's limits makes the exit code 1, with the limit, needed and available", async () => {
    const { out, code } = await bench(
      '--heads',
      '8',
      '--kv-heads',
      '8',
      '--head-dim',
      '64',
      '-d',
      '64',
      '--capacity',
      '16777216',
      '--reps',
      '1',
    );
    expect(out).toMatch(/maxStorageBufferBindingSize needed 2147483648, available \d+/);
    expect(code).toBe(1);
  });
});

test.each([
  [['--check'], 'check    1/1 outputs within bound'],
  [['--no-check'], 'check    off: nothing here is known to be right'],
])('%j', async (flag, line) => {
  const { out } = await bench(...SMALL, '--kv-heads', '8', ...flag);
  expect(out).toContain(line);
});

describe('refusals', () => {
  test.each([
    [['--kv-heads', '5'], 'heads (32) must be a multiple of kv-heads (5)'],
    [['--head-dim', '100'], 'headDim: expected a multiple of 8 from 8 to 512, got 100'],
    [['--heads', '0'], 'expected a whole number from 1 to'],
    [['-d', '-5'], '-5'],
    [['-d', '1.5'], 'expected a whole number from 1 to 16777216, such as 4096 or 4k, got "1.5"'],
    [['-d', '9-3'], 'expected an ascending range, got "9-3"'],
    [['-d', '4096', '--capacity', '1024'], 'expected at most the capacity of 1024, got 4096'],
    [['-m', 'lama-3'], 'no preset, file or folder is called "lama-3"'],
    [['-ctk', 'f8'], 'expected f32, f16, bf16, int8, int4, got "f8"'],
    [['--kernel', 'fast'], 'expected auto, registers, tiles, prefill, plain, got "fast"'],
    [['--features', 'rope+tree'], "got rope: a tree's slots are not positions"],
    [['-p', '64', '--features', 'tree'], 'expected decode steps for a tree, got a prompt'],
    [['-o', 'xml'], 'xml'],
    [['--repz', '3'], "unknown option '--repz'"],
    [['extra'], 'too many arguments'],
    [['--export-json', '/dev/null/at/all/x.json'], '"/dev/null/at/all/x.json": "/dev/null" is no folder'],
  ])('%j', async (args, message) => {
    const { out, err, code } = await bench(...args);
    expect(err).toContain(message);
    expect(out).toBe('');
    expect(code).toBe(1);
  });

  test('no GPU where one is required: exit code 3, and no file', async () => {
    const file = join(folder, 'run.json');
    const { err, code } = await bench('--adapter', 'swiftshader', '--require-gpu', '--export-json', file);
    expect(err).toContain('a GPU is required');
    expect(code).toBe(3);
    expect(existsSync(file)).toBe(false);
  });
});
