// tune.node.test.ts: `gqa tune` as a command: what it prints and keeps, and that bench and attend then use it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BenchResult } from '../../bench/schema/schema.ts';
import type { Tuned } from '../../bench/tune/tune.ts';
import { parseTuning } from '../../src/decode/tuning.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { interruptAt } from '../support/interruptAt.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-tune-'));
  file = join(folder, 'kept.json');
  vi.stubEnv('GQA_TUNING', file);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = undefined;
});

/** A model whose shaders compile fast, and with a KV head for each query head few candidates. */
function smallModel(): string {
  const path = join(folder, 'config.json');
  const config = {
    model_type: 'llama',
    num_attention_heads: 2,
    num_key_value_heads: 1,
    hidden_size: 32,
    num_hidden_layers: 1,
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** Of few lanes to a subgroup; test/bench/tune searches on the machine's own. */
const ON = ['--adapter', 'swiftshader'];

const BENCH = [
  ...ON,
  '--heads',
  '2',
  '--kv-heads',
  '2',
  '--head-dim',
  '16',
  '-d',
  '40',
  '--reps',
  '1',
  '-o',
  'json',
];

async function benchedRow(...args: string[]) {
  const { out } = await gqaMain('bench', ...BENCH, ...args);
  return (JSON.parse(out) as BenchResult).results[0]!;
}

describe('gqa tune', () => {
  test('keeps what it finds in the file that bench reads, also when a later class is interrupted', async () => {
    interruptAt('2/1 f16: ');
    const { out, err, code } = await gqaMain(
      'tune',
      ...ON,
      '-m',
      smallModel(),
      '--kv-heads',
      '2,1',
      '-d',
      '40',
      '-o',
      'json',
    );
    expect(code).toBe(130);
    expect(err).toContain('2/2 f16: ');
    expect(err).toContain('error: interrupted (SIGINT)\n');
    const [found, ...others] = JSON.parse(out) as Tuned[];
    expect(others).toEqual([]);
    expect(found!.shape).toBe('d16_rows1_heads2_f16');
    expect(found!.trials.length).toBeGreaterThan(5);
    expect(readdirSync(folder)).toEqual(['config.json', 'kept.json']);
    const kept = parseTuning(readFileSync(file, 'utf8'), file);
    expect(kept.devices).toEqual({ [found!.device]: { [found!.shape]: found!.entry } });

    const tuned = await benchedRow();
    expect(tuned).toMatchObject({ tuned: true, kernel: found!.entry.variant.template });
    expect((await benchedRow('--no-tuning')).tuned).toBeFalsy();
    // Another class of shapes has nothing kept for it.
    expect((await benchedRow('-ctk', 'f32')).tuned).toBeFalsy();
  }, 180_000);

  test('a file that is no tuning is named, by every command that reads it, and left as it was', async () => {
    vi.stubEnv('GQA_TUNING', join(folder, 'broken.json'));
    writeFileSync(join(folder, 'broken.json'), '{"schema": "gqa-tuning/0"}');
    const { err, code } = await gqaMain('bench', ...BENCH);
    expect(code).toBe(1);
    expect(err).toContain(join(folder, 'broken.json'));
    expect(err).toContain('--no-tuning');
    process.exitCode = undefined;
    expect((await gqaMain('tune', '-m', smallModel(), '-d', '40')).err).toContain('gqa-tuning/1');
    expect(readFileSync(join(folder, 'broken.json'), 'utf8')).toBe('{"schema": "gqa-tuning/0"}');
    process.exitCode = undefined;
    expect((await benchedRow('--no-tuning')).check).toMatchObject({ pass: true });
  });

  test('a file that could not be written in the end is refused before anything is measured', async () => {
    vi.stubEnv('GQA_TUNING', join(folder, 'none', 'kept.json'));
    const { err, code } = await gqaMain('tune', '-m', smallModel(), '-d', '40');
    expect(code).toBe(1);
    expect(err).toBe(
      `error: ${join(folder, 'none', 'kept.json')}: cannot be written: the folder "${join(folder, 'none')}" does not exist\n`,
    );
    expect(readdirSync(folder)).toEqual(['config.json']);
  });

  test.each([
    [['-ctk', 'f64'], 'f64'],
    [['-d', '0'], '0'],
    [['-m', 'no-such-model'], 'no-such-model'],
    [['--kv-heads', '5'], '5'],
  ])('%j is refused', async (args, named) => {
    const { err, code, out } = await gqaMain('tune', ...args);
    expect(code).toBe(1);
    expect(err).toContain(named);
    expect(out).toBe('');
  });
});
