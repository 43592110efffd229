// convertSource.node.test.ts: a result is of one source, as it is now: files that change, are missing, stand twice; two runs at once.
import { spawn } from 'node:child_process';
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { convertShards } from '../../src/checkpoint/convert/disk/job.ts';
import { withLock } from '../../src/checkpoint/convert/disk/lock.ts';
import { writeSafetensors } from '../../src/checkpoint/format/file.ts';
import { CHECKPOINTS, noise, writeCheckpoint, type WriteOptions } from '../support/checkpoints.ts';
import { readAllBytes, withJob } from '../support/convertFolder.ts';
import { gqaMain, type MainOutcome } from '../support/gqaMain.ts';

let folder = '';
let source = '';
let out = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gqa-source-'));
  [source, out] = [join(folder, 'source'), join(folder, 'out')];
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const LLAMA = CHECKPOINTS['llama']!;
const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
const write = (options: WriteOptions = {}) => writeCheckpoint(source, LLAMA, { shards: 2, ...options });
const convert = (...args: string[]): Promise<MainOutcome> =>
  gqaMain('convert', source, '--kv-heads', '2', '--out', out, ...args);

/** The error of a run that must fail. */
async function refusal(...args: string[]): Promise<string> {
  const { err, code } = await convert(...args);
  expect(code).toBe(1);
  return err.slice(err.indexOf('error: '));
}

/** Other weights under the same names. */
const otherWeights = () =>
  write({ fill: (name, shape) => Float32Array.from(noise(name, shape), (x) => x + 1) });

const THEN = new Date('2024-01-02T03:04:05Z');

/** Converts, then turns a bit of a source file, whose size and time stay as they were. */
async function changeQuietly(name: string, ...args: string[]): Promise<void> {
  const path = join(source, name);
  await utimes(path, THEN, THEN);
  expect((await convert(...args)).code).toBeUndefined();
  const bytes = await readFile(path);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(path, bytes);
  await utimes(path, THEN, THEN);
}

describe('a conversion that was stopped', () => {
  test('of weights that changed since: refused, with what changed and what to do', async () => {
    await write();
    expect((await convert('--shards', '0/2')).code).toBeUndefined();
    await otherWeights();
    for (const more of [[], ['--shards', '1/2'], ['--shards', '0/2']]) {
      expect(await refusal(...more)).toMatch(
        /out\.partial: its shards are of the source as it was before: .*\.safetensors was of .*Z and is of .*Z; remove the folder to begin anew, or choose another --out/,
      );
    }
    await rm(`${out}.partial`, { recursive: true });
    expect((await convert()).code).toBeUndefined();
  });

  test('a shard that is not converted yet counts too: methods look at several', async () => {
    await write();
    await convert('--shards', '0/2');
    const later = new Date(Date.now() + 60_000);
    await utimes(join(source, SHARDS[1]), later, later);
    expect(await refusal()).toContain(`${SHARDS[1]} was of`);
  });

  test('before the finish', async () => {
    await write();
    for (const share of ['0/2', '1/2']) expect((await convert('--shards', share)).code).toBeUndefined();
    await writeFile(join(source, 'tokenizer.json'), '{"version": "2.0"}');
    expect(await refusal('--finish')).toContain(
      'its shards are of the source as it was before: tokenizer.json was',
    );
    expect(await readdir(folder)).not.toContain('out');
  });

  test('--hash sees what size and time do not', async () => {
    await write();
    await changeQuietly(SHARDS[0], '--hash', '--shards', '0/2');
    expect(await refusal('--hash')).toContain(
      `${SHARDS[0]} of the source has another SHA-256 than when it was converted`,
    );
  });

  test('a source that changes while it is read', async () => {
    await write();
    const run = withJob(source, out, { kvHeads: 2 }, async (job) => {
      await otherWeights();
      await convertShards(job, { index: 0, of: 1 });
    });
    await expect(run).rejects.toThrow(
      /was changed while it was converted; run it again once the source stays/,
    );
    expect(await readdir(folder)).toEqual(['source']);
  });
});

describe('a result that is there', () => {
  test('of a source that changed since is not whole already', async () => {
    await write();
    await convert();
    expect((await convert()).out).toBe(`${out} is whole already, of this very conversion\n`);
    await otherWeights();
    expect(await refusal()).toMatch(
      /out: is of this conversion, but the source is not as it was: .* was of .* and is of .*; remove it to convert anew, or choose another --out/,
    );
  });

  test.each([
    ['other options', ['--method', 'first']],
    ['another number of KV heads', ['--kv-heads', '1']],
  ])('of %s is not this one', async (_, args) => {
    await write();
    await convert();
    expect(await refusal(...args)).toContain(
      'out: is of another conversion (other options, source or version); remove it to convert anew, or choose another --out',
    );
  });

  test('of a result of ours', async () => {
    await write();
    await convert();
    await rename(out, join(folder, 'first'));
    const again = ['convert', join(folder, 'first'), '--kv-heads', '1', '--out', out];
    for (const said of ['out is whole: 2 shards', 'out is whole already'])
      expect((await gqaMain(...again)).out).toContain(said);
  });

  test('--hash sees what size and time do not', async () => {
    await write();
    await changeQuietly(SHARDS[1], '--hash');
    expect(await refusal('--hash')).toContain(`${SHARDS[1]} of the source has another SHA-256`);
  });

  test.each([
    ['a shard', SHARDS[1]],
    ['the tokenizer', 'tokenizer.json'],
    ['a file of a subfolder', 'extra/note.txt'],
    ['the index', 'model.safetensors.index.json'],
    ['the config', 'config.json'],
  ])('that lacks %s, has it cut, or written anew', async (_, name) => {
    await write();
    await convert();
    const path = join(out, name);
    const { size } = await stat(path);
    const damage = 'out: is of this conversion, but not as it was made: ';
    await utimes(path, THEN, THEN);
    expect(await refusal()).toMatch(
      new RegExp(`${damage}${name} was of .*Z and is of 2024-01-02T03:04:05.000Z; remove it to convert anew`),
    );
    await truncate(path, size - 1);
    expect(await refusal()).toContain(`${damage}${name} had ${size} bytes and has ${size - 1}; remove it to`);
    await rm(path);
    expect(await refusal()).toContain(`${damage}${name} is gone; remove it to convert anew`);
  });
});

test('files of other engines that give the old number of KV heads are named', async () => {
  await write();
  await mkdir(join(source, 'onnx'));
  await writeFile(join(source, 'onnx', 'config.json'), '{"num_key_value_heads": 4}');
  await writeFile(join(source, 'onnx', 'model.onnx_data_1'), 'weights');
  await writeFile(join(source, 'genai_config.json'), '{"model": {"decoder": {"num_key_value_heads": 4}}}');
  await writeFile(join(source, 'draft.json'), '{"num_key_value_heads": 1}');
  await writeFile(join(source, 'broken.json'), '{"num_key_value_heads": 4');
  const { err } = await convert();
  expect(err).toContain(
    'note     files that still say 4 KV heads are copied as they are: genai_config.json, onnx/config.json\n',
  );
  expect(err).toContain('weights in other forms are not copied: onnx/model.onnx_data_1');
  expect(await readFile(join(out, 'broken.json'), 'utf8')).toBe('{"num_key_value_heads": 4');
});

test('a result that does not read as what was planned does not get its name', async () => {
  await write();
  await convert();
  // As a finish leaves it that was killed just before the end.
  await rename(out, `${out}.partial`);
  const config = join(`${out}.partial`, 'config.json');
  const text = await readFile(config, 'utf8');
  await writeFile(config, text.replace('"num_key_value_heads": 2', '"num_key_value_heads": 4'));
  expect(await refusal('--finish')).toContain(
    'out.partial: tensor "model.layers.0.self_attn.k_proj.weight": expected [32, 32]',
  );
  expect(await readdir(folder)).not.toContain('out');
  await writeFile(config, text);
  expect((await convert('--finish')).code).toBeUndefined();
});

describe('two sets of weights', () => {
  const whole = () =>
    writeSafetensors(
      join(source, 'model.safetensors'),
      LLAMA.tensors.map(([name, shape]) => ({
        name,
        shape,
        dtype: 'F32',
        data: Float32Array.from(noise(name, shape)),
      })),
    );

  test('an index beside a whole file', async () => {
    await write();
    await whole();
    expect(await refusal()).toContain(
      'source: two sets of weights, "model.safetensors.index.json" and "model.safetensors", which is not of the first; remove the one that is not',
    );
  });

  test('shards beside a whole file; a shard that the index does not name', async () => {
    await write();
    await rm(join(source, 'model.safetensors.index.json'));
    await whole();
    expect(await refusal()).toContain(`two sets of weights, "model.safetensors" and "${SHARDS[0]}"`);
    await rm(join(source, 'model.safetensors'));
    await write();
    await copyFile(join(source, SHARDS[0]), join(source, 'model-00003-of-00003.safetensors'));
    expect(await refusal()).toContain(
      '"model.safetensors.index.json" and "model-00003-of-00003.safetensors"',
    );
  });

  test("a stale index beside a whole file; Mistral's second form is left out", async () => {
    await write();
    for (const name of SHARDS) await rm(join(source, name));
    await whole();
    expect(await refusal()).toContain(
      `model.safetensors.index.json: names "${SHARDS[0]}", which is missing (2 of 2 shards are)`,
    );
    await rm(join(source, 'model.safetensors.index.json'));
    await copyFile(join(source, 'model.safetensors'), join(source, 'consolidated.safetensors'));
    await writeFile(join(source, 'params.json'), '{"n_kv_heads": 4}');
    const { err, code } = await convert();
    expect(code).toBeUndefined();
    expect(err).toContain(
      'weights in other forms are not copied: consolidated.safetensors, params.json, pytorch_model.bin',
    );
  });

  test('an adapter beside them', async () => {
    await write();
    await writeFile(join(source, 'adapter_config.json'), '{}');
    expect(await refusal()).toContain(
      'source: has an adapter (adapter_config.json), which does not fit other heads; merge it',
    );
  });
});

test('byte order marks, in config and index', async () => {
  await write();
  for (const name of ['config.json', 'model.safetensors.index.json']) {
    const text = await readFile(join(source, name), 'utf8');
    await writeFile(
      join(source, name),
      `\uFEFF${text.replace('"vocab_size"', '"time_step_limit": [0.0, Infinity], "vocab_size"')}`,
    );
  }
  expect((await convert()).code).toBeUndefined();
  const config = await readFile(join(out, 'config.json'), 'utf8');
  expect(config.startsWith('\uFEFF{')).toBe(true);
  expect(config).toContain('[0.0, Infinity]');
  expect((await gqaMain('kv', out)).code).toBeUndefined();
  await writeFile(join(source, 'config.json'), Buffer.from([0xff, 0xfe, 0x7b, 0x00]));
  expect(await refusal()).toContain('config.json: expected UTF-8');
});

test('a folder of links, as caches have them', async () => {
  await write();
  const cache = join(folder, 'cache');
  await rename(source, cache);
  const names = await readdir(cache);
  await mkdir(source);
  for (const name of names) await symlink(join('..', 'cache', name), join(source, name));
  expect((await convert()).code).toBeUndefined();
  for (const name of SHARDS) expect((await stat(join(out, name))).isFile()).toBe(true);
  expect((await readAllBytes(out)).size).toBe(LLAMA.tensors.length);
});

describe('two runs at once', () => {
  test('the second is told which process is at it, and changes nothing', async () => {
    await write();
    await withLock(out, async () => {
      for (const more of [[], ['--finish']]) {
        expect(await refusal(...more)).toContain(
          `out: process ${process.pid} on ${hostname()} is making it now; wait for it, or choose another --out (if it is gone, remove ${out}.lock)`,
        );
      }
      expect((await readdir(folder)).toSorted()).toEqual(['out.lock', 'source']);
    });
    expect((await convert()).code).toBeUndefined();
    expect((await readdir(folder)).toSorted()).toEqual(['out', 'source']);
  });

  test('of two that start together one makes it, the other says so', async () => {
    await write();
    const outcomes = await Promise.allSettled(
      [0, 1].map(() => withLock(out, () => new Promise((end) => setTimeout(end, 20)))),
    );
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await readdir(folder)).toEqual(['source']);
  });

  test('a lock that was left behind is taken over', async () => {
    await write();
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => child.on('exit', resolve));
    const lock = { pid: child.pid, host: hostname(), run: 'gone' };
    await writeFile(`${out}.lock`, JSON.stringify(lock));
    expect((await convert()).code).toBeUndefined();
    expect((await readdir(folder)).toSorted()).toEqual(['out', 'source']);
  });

  test("a file of somebody else's is no lock", async () => {
    await write();
    await writeFile(`${out}.lock`, 'mine');
    expect(await refusal()).toContain('out.lock: is there, but is no lock of this program; rename it');
    expect(await readFile(`${out}.lock`, 'utf8')).toBe('mine');
  });

  test('a worker that comes after the finish leaves nothing behind', async () => {
    await write();
    await withJob(source, out, { kvHeads: 2 }, async (job) => {
      await writeCheckpoint(out, LLAMA);
      await expect(convertShards(job, { index: 0, of: 2 })).rejects.toThrow(
        'out: was finished by another run meanwhile',
      );
    });
    expect((await readdir(folder)).toSorted()).toEqual(['out', 'source']);
  });

  test('one of another machine holds as long as it beats', async () => {
    await write();
    await writeFile(`${out}.lock`, JSON.stringify({ pid: 1, host: 'elsewhere', run: 'x' }));
    expect(await refusal()).toContain('out: process 1 on elsewhere is making it now');
    const before = new Date(Date.now() - 600_000);
    await utimes(`${out}.lock`, before, before);
    expect((await convert()).code).toBeUndefined();
  });
});
