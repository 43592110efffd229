// families.node.test.ts: tiny checkpoints of every family, converted on disk and computed by an independent reference.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findAttention } from '../../../src/checkpoint/find/findAttention.ts';
import { openModelFolder } from '../../../src/checkpoint/convert/disk/modelFolder.ts';
import { METHODS } from '../../../src/checkpoint/convert/plan.ts';
import { moduleOutput } from '../../support/moduleAttention.ts';
import { CHECKPOINTS, HEADS, HEAD_DIM, LAYERS, noise, writeCheckpoint } from '../../support/checkpoints.ts';
import { convertFolder, readAll, readAllBytes } from '../../support/convertFolder.ts';
import { FAMILY_PLACES, type HeadRole } from '../../support/headPlaces.ts';
import { FLIPPED, IDENTICAL, likeHeads, ROTATED, SCALED, type Likeness } from '../../support/likeHeads.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gqa-families-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const NAMES = Object.keys(CHECKPOINTS);
const PAIRS = [
  [0, 1],
  [2, 3],
];

function source(family: string, fill = noise, shards = 1): Promise<string> {
  return writeCheckpoint(join(folder, family), CHECKPOINTS[family]!, { fill, shards });
}

function tokensOf(family: string): number[][] {
  const { width } = FAMILY_PLACES[family]!;
  return Array.from({ length: 6 }, (_, t) => Array.from(noise(`token ${t}`, [width]), (x) => 3 * x));
}

/** Largest difference of the modules' outputs, relative to the largest output. */
function difference(
  family: string,
  before: Map<string, Float64Array>,
  after: Map<string, Float64Array>,
  kv: { readonly before: number; readonly after: number; readonly beforeMap?: (h: number) => number },
): number {
  let [worst, largest] = [0, 0];
  for (let layer = 0; layer < LAYERS; layer++) {
    for (const kind of FAMILY_PLACES[family]!.kinds) {
      const common = { family, layer, kind, tokens: tokensOf(family) };
      const contiguous = (numKvHeads: number) => (h: number) => Math.floor((h * numKvHeads) / HEADS);
      const own = { ...common, numKvHeads: kv.before, kvHeadOf: kv.beforeMap ?? contiguous(kv.before) };
      const a = moduleOutput(own, (name) => before.get(name)).flat();
      const merged = { ...common, numKvHeads: kv.after, kvHeadOf: contiguous(kv.after) };
      const b = moduleOutput(merged, (name) => after.get(name)).flat();
      a.forEach((x, i) => {
        worst = Math.max(worst, Math.abs(x - b[i]!));
        largest = Math.max(largest, Math.abs(x));
      });
    }
  }
  expect(largest).toBeGreaterThan(0);
  return worst / largest;
}

describe.each(NAMES)('%s', (family) => {
  // Each method in turn: what it writes is where and as any other writes it.
  const method = METHODS[NAMES.indexOf(family) % METHODS.length]!;
  test(`${method}: the result is a checkpoint of the family with 2 KV heads`, async () => {
    const from = await source(family);
    const attentionOf = async (path: string) => {
      const { tensors, config } = await openModelFolder(path);
      return findAttention(tensors, config, path);
    };
    const out = await convertFolder(from, join(folder, 'out'), { kvHeads: 2, method });
    const attention = await attentionOf(out);
    expect(attention.numKvHeads).toBe(2);
    expect(attention.format.name).toBe((await attentionOf(from)).format.name);
    expect(attention.positions).toEqual((await attentionOf(from)).positions);
    expect(attention.modules).toHaveLength(LAYERS * FAMILY_PLACES[family]!.kinds.length);
    expect((await readdir(out)).toSorted()).toEqual(
      ['config.json', 'extra', 'gqa-conversion.json', 'model.safetensors', 'tokenizer.json'].toSorted(),
    );
    expect(await readFile(join(out, 'extra', 'note.txt'), 'utf8')).toBe('kept');
  });

  test('mean is that of plain float64 loops, bit for bit', async () => {
    const from = await source(family);
    const out = await convertFolder(from, join(folder, 'out'), { kvHeads: 2 });
    const [before, after] = [await readAll(from), await readAll(out)];
    const { width, kinds, place, bias } = FAMILY_PLACES[family]!;
    let compared = 0;
    const check = (
      role: HeadRole,
      head: number,
      where: (head: number, kv: number) => readonly [string, number],
    ) => {
      const members = role === 'k' || role === 'v' ? [2 * head, 2 * head + 1] : [head];
      let sum = 0;
      for (const member of members) {
        const [name, index] = where(member, HEADS);
        sum += before.get(name)![index]!;
      }
      const [name, index] = where(head, 2);
      expect(after.get(name)![index]).toBe(Math.fround(sum / members.length));
      compared++;
    };
    for (let layer = 0; layer < LAYERS; layer++) {
      for (const kind of kinds) {
        for (const role of ['q', 'k', 'v', 'o'] as const) {
          for (let head = 0; head < (role === 'k' || role === 'v' ? 2 : HEADS); head++) {
            for (let r = 0; r < HEAD_DIM; r++) {
              for (let c = 0; c < width; c++) {
                check(role, head, (h, kv) => place({ layer, kind, role, head: h, r, c }, kv));
              }
              if (bias && role !== 'o') {
                check(role, head, (h, kv) => bias({ layer, kind, role, head: h, r, c: 0 }, kv));
              }
            }
          }
        }
      }
    }
    expect(compared).toBeGreaterThan(1000);
  });

  test('what is not attention is the same, byte for byte', async () => {
    const from = await source(family);
    const out = await convertFolder(from, join(folder, 'out'), { kvHeads: 1, method: 'pca' });
    const [before, after] = [await readAllBytes(from), await readAllBytes(out)];
    expect([...after.keys()]).toEqual([...before.keys()]);
    const attention = /attn|attention|^decoder.*Attention|value_embeds/i;
    const others = [...before].filter(([name]) => !attention.test(name) || name.startsWith('encoder'));
    expect(others.length).toBeGreaterThan(2);
    for (const [name, bytes] of others) expect(after.get(name)).toEqual(bytes);
  });

  test('as many KV heads as before: the same files, byte for byte', async () => {
    const from = await source(family, noise, 2);
    const out = await convertFolder(from, join(folder, 'out'), { kvHeads: HEADS, method: 'pca' });
    const names = (await readdir(from)).filter((name) => name !== 'extra' && name !== 'pytorch_model.bin');
    for (const name of names)
      expect(await readFile(join(out, name))).toEqual(await readFile(join(from, name)));
    expect(names.filter((name) => name.endsWith('.safetensors'))).toHaveLength(2);
  });

  test('identical heads lose nothing: first', async () => {
    const from = await source(family, likeHeads(family, IDENTICAL(PAIRS)));
    const out = await convertFolder(from, join(folder, 'out'), { kvHeads: 2, method: 'first' });
    expect(
      difference(family, await readAll(from), await readAll(out), { before: HEADS, after: 2 }),
    ).toBeLessThan(1e-12);
  });

  const { norm } = FAMILY_PLACES[family]!;
  const likenesses: readonly (readonly [
    string,
    'aligned' | 'pca',
    (groups: Likeness['groups']) => Likeness,
  ])[] = [
    ['heads that are turned only', 'aligned', norm === 'weights' ? FLIPPED : ROTATED],
    norm === 'none'
      ? ['heads that are turned and scaled', 'pca', SCALED]
      : ['heads that are turned only', 'pca', norm === 'weights' ? FLIPPED : ROTATED],
  ];
  test.each(likenesses)('%s lose nothing: %s', async (_, by, likeness) => {
    const from = await source(family, likeHeads(family, likeness(PAIRS)));
    const before = await readAll(from);
    const out = await convertFolder(from, join(folder, 'out'), { kvHeads: 2, method: by });
    expect(difference(family, before, await readAll(out), { before: HEADS, after: 2 })).toBeLessThan(1e-5);
    // The mean loses much of them: the heads do differ.
    const mean = await convertFolder(from, join(folder, 'mean'), { kvHeads: 2 });
    expect(difference(family, before, await readAll(mean), { before: HEADS, after: 2 })).toBeGreaterThan(
      0.05,
    );
  });

  test('heads repeated compute the same; and merged again they are as before', async () => {
    const grouped = await convertFolder(await source(family), join(folder, 'two'), { kvHeads: 2 });
    const repeated = await convertFolder(grouped, join(folder, 'four'), { kvHeads: HEADS });
    const [two, four] = [await readAll(grouped), await readAll(repeated)];
    expect(difference(family, two, four, { before: 2, after: HEADS })).toBeLessThan(1e-12);
    const again = await convertFolder(repeated, join(folder, 'again'), { kvHeads: 2 });
    expect(await readAllBytes(again)).toEqual(await readAllBytes(grouped));
  });

  test('a grouped model is grouped further: the mean of means', async () => {
    const from = await source(family);
    const two = await convertFolder(from, join(folder, 'two'), { kvHeads: 2, method: 'first' });
    const one = await convertFolder(two, join(folder, 'one'), { kvHeads: 1, method: 'first' });
    const direct = await convertFolder(from, join(folder, 'direct'), { kvHeads: 1, method: 'first' });
    expect(await readAllBytes(one)).toEqual(await readAllBytes(direct));
  });

  test('a model of h mod Hkv computes the same with its heads in order', async () => {
    const tiled = await convertFolder(await source(family), join(folder, 'two'), { kvHeads: 2 });
    const out = await convertFolder(tiled, join(folder, 'out'), { kvHeads: 2, headMap: 'tiled' });
    const [before, after] = [await readAll(tiled), await readAll(out)];
    const reordered = difference(family, before, after, { before: 2, after: 2, beforeMap: (h) => h % 2 });
    expect(reordered).toBeLessThan(1e-12);
    expect(difference(family, before, after, { before: 2, after: 2 })).toBeGreaterThan(0.01);
  });

  test('heads that are alike are found: 0 with 2, 1 with 3', async () => {
    const groups = [
      [0, 2],
      [1, 3],
    ];
    const likeness = norm === 'weights' ? FLIPPED(groups) : ROTATED(groups);
    const from = await source(family, likeHeads(family, likeness));
    const before = await readAll(from);
    const options = { kvHeads: 2, method: 'aligned' } as const;
    const out = await convertFolder(from, join(folder, 'out'), { ...options, grouping: 'similar' });
    const after = await readAll(out);
    if (family === 't5') {
      // Self-attention shares a table of position biases between layers, so only cross-attention regroups.
      const biases = 'decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight';
      expect(after.get(biases)).toEqual(before.get(biases));
      return;
    }
    expect(difference(family, before, after, { before: HEADS, after: 2 })).toBeLessThan(1e-5);
    const neighbours = await convertFolder(from, join(folder, 'neighbours'), options);
    expect(
      difference(family, before, await readAll(neighbours), { before: HEADS, after: 2 }),
    ).toBeGreaterThan(0.05);
  });
});

test("T5's table of position biases goes with its query heads", async () => {
  const name = 'decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight';
  const two = await convertFolder(await source('t5'), join(folder, 'two'), { kvHeads: 2 });
  const out = await convertFolder(two, join(folder, 'out'), { kvHeads: 2, headMap: 'tiled' });
  const [before, after] = [(await readAll(two)).get(name)!, (await readAll(out)).get(name)!];
  // Heads 0 and 2 read KV head 0, heads 1 and 3 KV head 1: they now stand side by side.
  for (let bucket = 0; bucket < 32; bucket++) {
    const row = (values: Float64Array) => Array.from(values.subarray(bucket * HEADS, (bucket + 1) * HEADS));
    expect(row(after)).toEqual([0, 2, 1, 3].map((h) => row(before)[h]));
  }
});
