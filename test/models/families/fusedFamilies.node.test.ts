// fusedFamilies.node.test.ts: fused projections whose tensor names several families share: the config says the order, or nobody.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openModelFolder } from '../../../src/checkpoint/convert/disk/modelFolder.ts';
import { shapeFromConfig } from '../../../src/models/config.ts';
import { FUSED, HEAD_DIM, HEADS, HIDDEN, writeCheckpoint } from '../../support/checkpoints.ts';
import { convertFolder, readAll } from '../../support/convertFolder.ts';
import { gqaMain } from '../../support/gqaMain.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gqa-fused-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

type Head = readonly [role: 'q' | 'k' | 'v', head: number];

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
/** What the families' own code makes of the rows of a fused projection, head by head. */
const BLOCKS = (kv: number): Head[] => [
  ...range(HEADS).map((h): Head => ['q', h]),
  ...range(kv).map((h): Head => ['k', h]),
  ...range(kv).map((h): Head => ['v', h]),
];
const GROUPS = (kv: number): Head[] =>
  range(kv).flatMap((h): Head[] => [
    ...range(HEADS / kv).map((i): Head => ['q', (h * HEADS) / kv + i]),
    ['k', h],
    ['v', h],
  ]);
const ORDERS: Readonly<Record<string, (kv: number) => Head[]>> = {
  'gpt-bigcode': GROUPS,
  qwen: BLOCKS,
  'glm-2021': BLOCKS,
  'chatglm-6b': GROUPS,
  chatglm: BLOCKS,
  falcon: GROUPS,
  bloom: GROUPS,
  internlm2: GROUPS,
  baichuan: BLOCKS,
};

/** A number of its own for every head: 100 and more for queries, 200 for keys, 400 for values. */
const valueOf = ([role, head]: Head) => ({ q: 100, k: 200, v: 400 })[role] + head;

function source(name: string, config = FUSED[name]!.config): Promise<string> {
  const spec = FUSED[name]!;
  const rows = ORDERS[name]!(HEADS).map(valueOf);
  const fill = (_name: string, shape: readonly number[]) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const width = HEAD_DIM * (shape[1] ?? 1);
    const isFused = shape[0] === 3 * HEADS * HEAD_DIM;
    return Float32Array.from({ length: size }, (_, i) => (isFused ? rows[Math.floor(i / width)]! : i % 7));
  };
  return writeCheckpoint(join(folder, 'source'), spec, { fill, config });
}

describe.each(Object.keys(FUSED))('%s', (name) => {
  test.each([1, 2])(
    '%i KV heads: queries stay, keys and values are averaged among themselves',
    async (kv) => {
      const out = await convertFolder(await source(name), join(folder, 'out'), { kvHeads: kv });
      const mean = ([role, head]: Head) =>
        role === 'q' ? 100 + head : valueOf([role, 0]) + (head * HEADS) / kv + (HEADS / kv - 1) / 2;
      const expected = ORDERS[name]!(kv).map(mean);
      const tensors = await readAll(out);
      const fused = [...tensors].filter(([, values]) => {
        const heads = values.length / HEAD_DIM;
        return heads === expected.length || heads === expected.length * HIDDEN;
      });
      expect(fused.length).toBeGreaterThanOrEqual(2);
      for (const [, values] of fused) {
        const rows = values.length / expected.length;
        expect(expected.map((_, i) => values[i * rows])).toEqual(expected);
      }
      const config: unknown = JSON.parse(await readFile(join(out, 'config.json'), 'utf8'));
      expect(shapeFromConfig(config, 'config.json')).toMatchObject({ numKvHeads: kv, numQHeads: HEADS });
    },
  );

  test('a model type that nobody knows: refused, with the options to choose from', async () => {
    // What its own type alone would understand is left out.
    const sizes = Object.entries(FUSED[name]!.config).filter(
      ([key]) => !/multi_query|architecture|num_kv/.test(key),
    );
    const novel = { ...Object.fromEntries(sizes), num_key_value_heads: HEADS, model_type: 'novel' };
    const from = await source(name, novel);
    const { err, code } = await gqaMain('convert', from, '--kv-heads', '2', '--out', join(folder, 'out'));
    expect(code).toBe(1);
    expect(err).toContain(
      'the order of the heads inside a fused projection is not known (model_type "novel")',
    );
    const lines = err.split('\n').filter((line) => line.startsWith('  --map '));
    expect(lines).toHaveLength(2);
    const order = ORDERS[name] === BLOCKS ? 0 : 1;
    // A line can be pasted as it is.
    const args = lines[order]!.trim().split(/ {4}/)[0]!.split(' ');
    const pasted = await gqaMain('convert', from, '--kv-heads', '2', '--out', join(folder, 'out'), ...args);
    expect(pasted).toMatchObject({ code: undefined });
    const known = await convertFolder(await source(name), join(folder, 'known'), { kvHeads: 2 });
    expect(await readAll(join(folder, 'out'))).toEqual(await readAll(known));
  });
});

describe('--map', () => {
  const dryRun = async (name: string, entries: readonly string[], config = FUSED[name]!.config) => {
    const args = entries.flatMap((entry) => ['--map', entry]);
    return gqaMain('convert', await source(name, config), '--kv-heads', '2', '--dry-run', ...args);
  };
  const C_ATTN = 'transformer.h.{layer}.attn.c_attn.weight';
  const C_PROJ = 'transformer.h.{layer}.attn.c_proj.weight';
  const GLM = 'transformer.layers.{layer}.attention';

  test.each([
    [
      'gpt-bigcode',
      [`qkv=${C_ATTN}`, `o=${C_PROJ}`],
      `${C_ATTN}" is qkv along axis 0, but in a model of type gpt_bigcode it is grouped`,
    ],
    [
      'glm-2021',
      [`grouped=${GLM}.query_key_value.weight`, `o=${GLM}.dense.weight`],
      'is grouped along axis 0, but in a model of type glm it is qkv along axis 0',
    ],
    [
      'qwen',
      [`qkv=${C_ATTN}`, `o=${C_PROJ}:transposed`],
      `${C_PROJ}" is o along axis 0, but in a model of type qwen it is o along axis 1`,
    ],
  ])('that contradicts the model type: %s', async (name, entries, expected) => {
    expect((await dryRun(name, entries)).err).toContain(expected);
  });

  test('one tensor in two roles; an order that it does not know', async () => {
    const twice = ['q', 'k', 'v', 'o'].map((role) => `${role}=${C_PROJ}`);
    expect((await dryRun('qwen', twice)).err).toContain(
      `--map: expected a name of its own for each role, got ${C_PROJ} twice`,
    );
    const codegen = { ...FUSED['qwen']!.config, num_key_value_heads: HEADS, model_type: 'codegen' };
    expect((await dryRun('qwen', [`qkv=${C_ATTN}`, `o=${C_PROJ}`], codegen)).err).toContain(
      'the order of the fused projection of codegen is none that --map knows',
    );
  });
});

describe('config.json of the result', () => {
  test.each([
    ['falcon', 2, { num_kv_heads: 2, multi_query: true, new_decoder_architecture: true }],
    ['chatglm', 2, { multi_query_group_num: 2, multi_query_attention: true }],
    ['gpt-bigcode', 1, { multi_query: true }],
    ['gpt-bigcode', 2, { multi_query: false, num_key_value_heads: 2 }],
    ['internlm2', 2, { num_key_value_heads: 2 }],
  ])(
    '%s, %i KV heads: the number stands where it was read, and nowhere else',
    async (name, kvHeads, changed) => {
      const out = await convertFolder(await source(name), join(folder, 'out'), { kvHeads });
      const config: unknown = JSON.parse(await readFile(join(out, 'config.json'), 'utf8'));
      expect(config).toEqual({ ...FUSED[name]!.config, ...changed });
      expect((await gqaMain('kv', join(out, 'config.json'))).code).toBeUndefined();
      expect((await gqaMain('kv', out)).out).toContain(`${kvHeads}`);
    },
  );

  test("Falcon's and StarCoder's one KV head is repeated, and the flag goes", async () => {
    const { config } = FUSED['gpt-bigcode']!;
    const one = await convertFolder(await source('gpt-bigcode'), join(folder, 'one'), { kvHeads: 1 });
    const again = await convertFolder(one, join(folder, 'all'), { kvHeads: HEADS });
    expect(JSON.parse(await readFile(join(again, 'config.json'), 'utf8'))).toEqual(config);
    const first = {
      model_type: 'falcon',
      hidden_size: HIDDEN,
      num_attention_heads: HEADS,
      num_hidden_layers: 2,
    };
    const old = await source('falcon', { ...first, multi_query: false });
    const mqa = await convertFolder(old, join(folder, 'mqa'), { kvHeads: 1 });
    expect(JSON.parse(await readFile(join(mqa, 'config.json'), 'utf8'))).toEqual({
      ...first,
      multi_query: true,
    });
  });
});

test('nanoGPT is known by its own config, not by the names that it shares', async () => {
  const { tensors } = FUSED['qwen']!;
  const config = { n_embd: HIDDEN, n_head: HEADS, n_layer: 2, vocab_size: 16 };
  const from = await writeCheckpoint(join(folder, 'source'), { config, tensors });
  const run = () => gqaMain('convert', from, '--kv-heads', '2', '--dry-run');
  expect((await run()).err).toContain('is not known (config.json has no model_type)');
  await writeFile(
    join(from, 'config.json'),
    JSON.stringify({ ...config, block_size: 8, multi_query: false }),
  );
  expect((await run()).err).toContain('is not known (config.json has no model_type)');
  await writeFile(join(from, 'config.json'), JSON.stringify({ ...config, block_size: 8, bias: true }));
  expect(await run()).toMatchObject({ code: undefined, err: '' });
  expect((await openModelFolder(from)).tensors.size).toBe(tensors.length);
});
