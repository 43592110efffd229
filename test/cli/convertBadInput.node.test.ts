// convertBadInput.node.test.ts: broken checkpoints, full disks, wrong targets: a clear error, the source untouched, nothing half made.
import { spawnSync } from 'node:child_process';
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CheckpointError } from '../../src/checkpoint/format/checkpointError.ts';
import { checkSpace, writeWhole } from '../../src/checkpoint/convert/disk/partial.ts';
import { writeSafetensors, type TensorData } from '../../src/checkpoint/format/file.ts';
import { builtGqa } from '../support/builtGqa.ts';
import {
  CHECKPOINTS,
  noise,
  writeCheckpoint,
  type CheckpointSpec,
  type WriteOptions,
} from '../support/checkpoints.ts';
import { message } from '../support/failure.ts';
import { gqaMain } from '../support/gqaMain.ts';

let folder = '';
let source = '';
let out = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gqa-bad-'));
  [source, out] = [join(folder, 'source'), join(folder, 'out')];
});
afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await rm(folder, { recursive: true });
});

/** Every file of a folder with its bytes and time. */
async function snapshot(path: string): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const name of await readdir(path, { recursive: true })) {
    const found = await stat(join(path, name));
    const bytes = found.isFile() ? (await readFile(join(path, name))).toString('base64') : '';
    all.set(name, `${found.mtimeMs} ${bytes}`);
  }
  return all;
}

/** Converts the source to 2 KV heads and expects an error; the source and what lies beside it stay as they were. */
async function refusal(...args: string[]): Promise<string> {
  const [before, beside] = [await snapshot(source), await readdir(folder)];
  const target = args.includes('--out') ? [] : ['--out', out];
  const { err, code } = await gqaMain('convert', source, '--kv-heads', '2', ...target, ...args);
  expect(code).toBe(1);
  expect(await snapshot(source)).toEqual(before);
  expect(await readdir(folder)).toEqual(beside);
  return err.split('\n').find((line) => line.startsWith('error: '))!;
}

const LLAMA = CHECKPOINTS['llama']!;
const write = (spec: CheckpointSpec = LLAMA, options: WriteOptions = {}) =>
  writeCheckpoint(source, spec, options);
const K = 'model.layers.1.self_attn.k_proj.weight';

/** Llama with one tensor left out, added or of another shape. */
function llamaWith(name: string, shape: readonly number[] | undefined): CheckpointSpec {
  const others = LLAMA.tensors.filter(([other]) => other !== name);
  return { ...LLAMA, tensors: shape ? [...others, [name, shape]] : others };
}

describe('tensors', () => {
  test.each([
    ['missing', K, undefined, `tensor "${K}" is missing: layer 1 of 2 must have it`],
    [
      'of another shape',
      K,
      [16, 32],
      `tensor "${K}": expected [32, 32] by config.json (4 query heads, 4 KV heads, head_dim 8, hidden size 32), got [16, 32]`,
    ],
    [
      'that may depend on heads',
      'model.layers.0.self_attn.k_proj.extra',
      [4],
      'tensor "model.layers.0.self_attn.k_proj.extra" is one too many: not a known tensor of llama attention, and it may depend on the number of heads',
    ],
    [
      'of a layer past the last',
      'model.layers.2.self_attn.k_proj.weight',
      [32, 32],
      'tensor "model.layers.2.self_attn.k_proj.weight" is one too many: config.json has 2 layers, this is of layer 2',
    ],
    [
      'a norm over all heads at once',
      'model.layers.0.self_attn.q_norm.weight',
      [32],
      'tensor "model.layers.0.self_attn.k_norm.weight" is missing: q and k are normalised both or neither',
    ],
    [
      'a bias of another shape',
      'model.layers.0.self_attn.q_proj.bias',
      [8],
      'tensor "model.layers.0.self_attn.q_proj.bias": expected [32] by config.json',
    ],
  ])('%s', async (_, name, shape, expected) => {
    await write(llamaWith(name, shape));
    expect(await refusal()).toContain(`error: ${source}: ${expected}`);
  });

  test('norms over all heads at once are no norms over each head', async () => {
    const norms = ['q', 'k'].map((x) => [`model.layers.0.self_attn.${x}_norm.weight`, [32]] as const);
    await write({ ...LLAMA, tensors: [...LLAMA.tensors, ...norms] });
    expect(await refusal()).toContain(
      'q_norm.weight": expected [8], a norm over each head (head_dim), got [32]',
    );
  });

  test('names of no family, and two models in one', async () => {
    await write({ ...LLAMA, tensors: [['a.weight', [2]]] });
    expect(await refusal()).toMatch(
      /the tensors have the names of no known family \(llama, .*nanogpt\); model_type "llama", tensors "a\.weight" \.\.\.; describe them with --map/,
    );
    const second = LLAMA.tensors.map(([name, shape]) => [`draft.${name}`, shape] as const);
    await write({ ...LLAMA, tensors: [...LLAMA.tensors, ...second] });
    expect(await refusal()).toContain(
      'several models in one checkpoint, their tensors under "model.", "draft.model."',
    );
  });

  test('numbers that are not finite cannot be turned', async () => {
    const fill = (name: string, shape: readonly number[]) => {
      const values = Float32Array.from(noise(name, shape));
      if (name === K) values[77] = NaN;
      return values;
    };
    await write(LLAMA, { fill });
    for (const method of ['aligned', 'pca']) {
      expect(await refusal('--method', method)).toContain(
        `tensor "${K}": expected finite numbers, which turning and judging heads needs`,
      );
    }
  });

  test('quantised weights are not averaged', async () => {
    await write();
    const tensors = LLAMA.tensors.map(([name, shape]): TensorData => {
      const count = shape.reduce((a, b) => a * b, 1);
      return name === K
        ? { name, dtype: 'I8', shape, data: new Int8Array(count) }
        : { name, dtype: 'F32', shape, data: Float32Array.from(noise(name, shape)) };
    });
    await writeSafetensors(join(source, 'model.safetensors'), tensors);
    expect(await refusal()).toContain(
      `tensor "${K}": dtype I8 cannot be averaged; F64, F32, F16, BF16, F8_E4M3, F8_E5M2 can.`,
    );
    // Taking a head as it is needs no arithmetic, nor does repeating it.
    expect(
      (await gqaMain('convert', source, '--kv-heads', '2', '--out', out, '--method', 'first')).code,
    ).toBeUndefined();
    const again = ['convert', out, '--kv-heads', '4', '--out', `${out}2`, '--grouping', 'similar'];
    expect((await gqaMain(...again)).code).toBeUndefined();
  });
});

/** Puts header text in the place of the file's own, with this length in front. */
async function withHeader(header: string, length: bigint = BigInt(header.length)): Promise<void> {
  await write();
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length);
  await writeFile(
    join(source, 'model.safetensors'),
    Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(64)]),
  );
}

describe('header lies', () => {
  const entry = (from: number, to: number, dtype = 'U8') =>
    `{"dtype":"${dtype}","shape":[${to - from}],"data_offsets":[${from},${to}]}`;
  test.each([
    [
      'offsets past the end',
      `{"a":${entry(0, 65)}}`,
      `tensor "a": bytes 0 to 65 pass the end of the file's 64 data bytes; is it truncated?`,
    ],
    [
      'overlapping',
      `{"a":${entry(0, 40)},"b":${entry(30, 64)}}`,
      'tensor "b": bytes 30 to 64 overlap the bytes before, which end at 40',
    ],
    ['a name twice', `{"a":${entry(0, 32)},"a":${entry(32, 64)}}`, 'tensor name "a" appears twice'],
    [
      'a dtype that is no word',
      `{"a":${entry(0, 64, 'f4!')}}`,
      'tensor "a": unknown dtype "f4!"; expected a',
    ],
    ['too many bytes', `{"a":${entry(0, 64, 'F4')}}`, 'tensor "a": F4 [64] takes 32 bytes, but data_offsets'],
  ])('%s', async (_, header, expected) => {
    await withHeader(header);
    expect(await refusal()).toContain(`error: ${join(source, 'model.safetensors')}: ${expected}`);
  });

  test('10 GB of header', async () => {
    await withHeader('{}', 10_000_000_000n);
    expect(await refusal()).toContain(
      'header length 10000000000 is over the limit of 100000000; is it a safetensors file?',
    );
    const file = await open(join(source, 'model.safetensors'), 'r+');
    await file.truncate(11_000_000_000);
    await file.close();
    const [before] = [process.memoryUsage().rss];
    const { err } = await gqaMain('convert', source, '--kv-heads', '2', '--out', out);
    expect(err).toContain('header length 10000000000 is over the limit');
    expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
  });
});

describe('the index', () => {
  const index = async (change: (map: Record<string, string>) => void) => {
    await write(LLAMA, { shards: 2 });
    const path = join(source, 'model.safetensors.index.json');
    const json = JSON.parse(await readFile(path, 'utf8')) as { weight_map: Record<string, string> };
    change(json.weight_map);
    await writeFile(path, JSON.stringify(json));
  };

  test.each([
    [
      'names a tensor that is not there',
      (map: Record<string, string>) => void (map['ghost'] = 'model-00001-of-00002.safetensors'),
      'tensor "ghost" should be in model-00001-of-00002.safetensors, but is missing',
    ],
    [
      'names the wrong shard',
      (map: Record<string, string>) => void (map[K] = 'model-00001-of-00002.safetensors'),
      `tensor "${K}" should be in model-00001-of-00002.safetensors, but is in model-00002-of-00002.safetensors`,
    ],
    [
      'forgets a tensor',
      (map: Record<string, string>) => void delete map[K],
      `tensor "${K}" of model-00002-of-00002.safetensors is not in the index`,
    ],
    [
      'names a file elsewhere',
      (map: Record<string, string>) => void (map[K] = '../secret.safetensors'),
      `tensor "${K}": expected the name of a safetensors file, got "../secret.safetensors"`,
    ],
    [
      'names a file that is missing',
      (map: Record<string, string>) => void (map[K] = 'model-00003-of-00002.safetensors'),
      'index.json: names "model-00003-of-00002.safetensors", which is missing (1 of 3 shards are)',
    ],
  ])('%s', async (_, change, expected) => {
    await index(change);
    expect(await refusal()).toContain(expected);
  });

  test('a tensor in two shards', async () => {
    await index(() => undefined);
    const tensor: TensorData = { name: K, dtype: 'F32', shape: [1], data: Float32Array.of(1) };
    await writeSafetensors(join(source, 'model-00001-of-00002.safetensors'), [tensor]);
    expect(await refusal()).toContain(`tensor "${K}" is in model-00001-of-00002.safetensors too`);
  });

  test('is no JSON, has no map; several files without one; none', async () => {
    await write(LLAMA, { shards: 2 });
    const path = join(source, 'model.safetensors.index.json');
    await writeFile(path, '{');
    expect(await refusal()).toContain(`${path}: expected a JSON file, got text that is not JSON: `);
    await writeFile(path, '{"weight_map": []}');
    expect(await refusal()).toContain('expected an object with a "weight_map"');
    await rm(path);
    expect(await refusal()).toContain(
      'expected model.safetensors, model.safetensors.index.json or a single safetensors file, got "model-00001',
    );
    for (const n of [1, 2]) await rm(join(source, `model-0000${n}-of-00002.safetensors`));
    expect(await refusal()).toContain(
      'or a single safetensors file, got none, but "pytorch_model.bin"; save the model as safetensors first',
    );
    await rename(join(source, 'pytorch_model.bin'), join(source, 'model.Q8_0.gguf'));
    expect(await refusal()).toContain('got none, but "model.Q8_0.gguf"; save the model as safetensors first');
  });
});

describe('the folder', () => {
  const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 4976698672\n`;

  test.each(['model-00002-of-00002.safetensors', 'tokenizer.json', 'config.json'])(
    'was cloned without Git LFS: %s is a pointer',
    async (name) => {
      await write(LLAMA, { shards: 2 });
      await writeFile(join(source, name), POINTER);
      expect(await refusal()).toContain(
        `source/${name}: is a pointer of Git LFS, not the file itself; fetch it with \`git lfs pull\``,
      );
    },
  );

  test('has a pointer in the place of weights that are not copied', async () => {
    await write();
    await writeFile(join(source, 'pytorch_model.bin'), POINTER);
    expect((await gqaMain('convert', source, '--kv-heads', '2', '--out', out)).code).toBeUndefined();
  });

  test.each(['.', '..'])('has a link to a folder that it lies in: %s', async (target) => {
    await write();
    await symlink(target, join(source, 'around'));
    const { err, code } = await gqaMain('convert', source, '--kv-heads', '2', '--out', out);
    expect(code).toBe(1);
    expect(err).toMatch(/source\/around\S*: is a link to a folder that it lies in: \//);
    expect(await readdir(folder)).toEqual(['source']);
  });

  test('is a name of the Hub', async () => {
    const { err, code } = await gqaMain('convert', 'a/b-7b', '--kv-heads', '2', '--out', out);
    expect(code).toBe(1);
    expect(err).toContain(
      "a/b-7b: cannot be read: ENOENT: no such file or directory, stat 'a/b-7b'; a model of the Hugging Face Hub must be downloaded first, into a folder",
    );
  });
});

describe('the config', () => {
  test('is missing, no JSON, contradicts itself', async () => {
    await write();
    const path = join(source, 'config.json');
    await writeFile(path, '{"a":');
    expect(await refusal()).toContain(`${path}: expected a JSON file, got text that is not JSON: `);
    await writeFile(path, JSON.stringify({ ...LLAMA.config, num_key_value_heads: 3 }));
    expect(await refusal()).toContain(
      'num_attention_heads (4) must be a multiple of num_key_value_heads (3)',
    );
    await rm(path);
    expect(await refusal()).toContain(`${path}: cannot be read: ENOENT`);
  });
});

describe('the target', () => {
  test.each([
    ['the source', () => source, 'the target is the source; expected another folder'],
    [
      'in the source',
      () => join(source, 'out'),
      'the target lies inside the source; expected a folder elsewhere',
    ],
    ['around the source', () => folder, 'the source lies inside the target; expected a folder elsewhere'],
    [
      'the source by another name',
      () => join(folder, 'link'),
      'the target is the source; expected another folder',
    ],
  ])('%s', async (_, target, expected) => {
    await write();
    await symlink(source, join(folder, 'link'));
    expect(await refusal('--out', target())).toContain(expected);
  });

  test('gathers in the source, by its name or by a link', async () => {
    await write();
    const before = await snapshot(source);
    const beside = join(folder, 'result');
    await symlink(source, `${beside}.partial`);
    expect(await refusal('--out', beside)).toContain(
      `${beside}.partial: the folder that the result gathers in is the source; expected another folder`,
    );
    await rename(source, `${out}.partial`);
    const { err, code } = await gqaMain('convert', `${out}.partial`, '--kv-heads', '2', '--out', out);
    expect(err).toContain('out.partial: the folder that the result gathers in is the source');
    expect(code).toBe(1);
    expect(await snapshot(`${out}.partial`)).toEqual(before);
    expect((await readdir(folder)).toSorted()).toEqual(['out.partial', 'result.partial']);
  });

  test('gathers in a folder of something else', async () => {
    await write();
    await mkdir(`${out}.partial`);
    await writeFile(join(`${out}.partial`, 'mine'), 'x');
    const beside = await snapshot(`${out}.partial`);
    const { err, code } = await gqaMain('convert', source, '--kv-heads', '2', '--out', out);
    expect(err).toContain('out.partial: is there, but is not of a conversion');
    expect(code).toBe(1);
    expect(await snapshot(`${out}.partial`)).toEqual(beside);
  });

  test('has no name', async () => {
    await write();
    const { err, code } = await gqaMain('convert', source, '--kv-heads', '2', '--out', '');
    expect(code).toBe(1);
    expect(err).toContain('expected the name of a folder, got ""');
  });

  test('has slashes behind it, which do not matter', async () => {
    await write();
    expect((await gqaMain('convert', source, '--kv-heads', '2', '--out', `${out}//`)).code).toBeUndefined();
    expect((await readdir(folder)).toSorted()).toEqual(['out', 'source']);
  });

  test('lies in a file', async () => {
    await write();
    await writeFile(join(folder, 'file'), 'x');
    const target = join(folder, 'file', 'out');
    expect(await refusal('--out', target)).toContain(`${target}: "${join(folder, 'file')}" is no folder`);
  });

  test('is a link that leads nowhere', async () => {
    await write();
    await symlink(join(folder, 'nowhere'), out);
    expect(await refusal()).toContain(`${out}: is a link that leads nowhere; expected a name that is free`);
    expect(await readdir(folder)).toEqual(['out', 'source']);
  });

  test('is there already', async () => {
    await write();
    await mkdir(out);
    await writeFile(join(out, 'mine'), 'x');
    expect(await refusal()).toContain(`${out}: is there already; expected a name that is free`);
    expect(await readdir(out)).toEqual(['mine']);
  });
});

describe('while it runs', () => {
  test('the disk is full: an error that names the shard, no temporary file, and a run with room goes on', async () => {
    await write(LLAMA, { shards: 2 });
    const before = await snapshot(source);
    // No file may grow past 12 KiB, which is what a full disk looks like to a write.
    const line = `ulimit -f 12; exec "${process.execPath}" "${await builtGqa()}" convert "${source}" --kv-heads 2 --out "${out}"`;
    const { stderr, status } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
    expect(stderr).toMatch(
      /error: .*out\.partial.model-00001-of-00002\.safetensors: could not be written: EFBIG/,
    );
    expect(status).toBe(1);
    expect(await readdir(folder)).toEqual(['source']);
    expect(await snapshot(source)).toEqual(before);
    expect((await gqaMain('convert', source, '--kv-heads', '2', '--out', out)).code).toBeUndefined();
    expect((await readdir(folder)).toSorted()).toEqual(['out', 'source']);
  });

  test('too little room is seen before anything is written', async () => {
    expect(await message(CheckpointError, () => checkSpace(folder, 1e18))).toMatch(
      /: needs 1000000000000000000 bytes, but its disk has \d+ left$/,
    );
    await checkSpace(folder, 1);
    // A run that was killed left a file behind: it may be what takes the room.
    await writeFile(join(folder, 'model.safetensors.0123abcd.tmp'), 'x'.repeat(77));
    expect(await message(CheckpointError, () => checkSpace(folder, 1e18))).toContain(
      'left; 77 bytes are in its *.tmp, which can be removed if no other worker is writing',
    );
  });

  test('a finish that was killed before the folder had its name goes on without converting again', async () => {
    await write(LLAMA, { shards: 2 });
    expect((await gqaMain('convert', source, '--kv-heads', '2', '--out', out)).code).toBeUndefined();
    const whole = await snapshot(out);
    await rename(out, `${out}.partial`);
    for (const more of [['--shards', '0/1'], ['--finish']]) {
      expect(
        (await gqaMain('convert', source, '--kv-heads', '2', '--out', out, ...more)).code,
      ).toBeUndefined();
    }
    expect(await snapshot(out)).toEqual(whole);
    expect((await readdir(folder)).toSorted()).toEqual(['out', 'source']);
  });

  test('a small file that cannot be written leaves nothing behind', async () => {
    await mkdir(join(folder, 'taken', 'by'), { recursive: true });
    await expect(writeWhole(join(folder, 'taken'), 'text')).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(await readdir(folder)).toEqual(['taken']);
  });
});
