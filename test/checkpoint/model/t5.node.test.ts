// t5.node.test.ts: tiny T5s of both versions against golden outputs in float64, which transformers gave as well; sources, targets, and what is refused.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openDevice, type GqaDevice } from '../../../src/index.ts';
import { nodeGpu } from '../../../src/node.ts';
import { openModel } from '../../../src/checkpoint/model/disk/openModel.ts';
import type { ModelContext } from '../../../src/models/decoder/context.ts';
import { planMemory } from '../../../src/models/decoder/memoryPlan.ts';
import { loadModel, type Model } from '../../../src/models/decoder/model.ts';
import { ModelSource } from '../../../src/models/decoder/modelSource.ts';
import type { TextPair } from '../../../src/models/decoder/pairPerplexity.ts';
import { twinOf } from '../../../src/models/reference/twin.ts';
import { bf16Bits, bf16Values } from '../../../src/numbers/halves.ts';

interface Golden {
  readonly prompt: readonly number[];
  readonly decoder_input_ids: readonly number[];
  readonly logits: readonly number[];
  readonly nll_mean: number;
  readonly continuation: readonly number[];
}

/** As of the other families, for which see families.node.test.ts. */
const BOUND = 3e-4;

const ROOT = fileURLToPath(new URL('families', import.meta.url));

let device: GqaDevice;

beforeAll(async () => {
  device = await openDevice((await nodeGpu({ adapter: 'swiftshader' })).gpu);
});

afterAll(() => device.destroy());

const goldenOf = (family: string) =>
  JSON.parse(readFileSync(join(ROOT, family, 'golden.json'), 'utf8')) as Golden;

async function load(family: string, options: Parameters<typeof loadModel>[2] = {}): Promise<Model> {
  const source = await openModel(join(ROOT, family));
  try {
    return await loadModel(device, source, options);
  } finally {
    await source.close();
  }
}

type Lists = readonly (readonly number[])[];

/** Logits of targets, row by row. */
async function logitsOf(context: ModelContext, targets: Lists): Promise<Map<string, Float32Array>> {
  const rows = new Map<string, Float32Array>();
  await context.logits(targets, ({ sequence, position, logits }) =>
    rows.set(`${sequence}/${position}`, logits),
  );
  return rows;
}

/** The greatest distance of a sequence's logits from the golden ones. */
function worst(
  rows: Map<string, Float32Array>,
  sequence: number,
  { logits, decoder_input_ids }: Golden,
): number {
  const golden = logits.flat();
  let most = 0;
  for (const position of decoder_input_ids.keys()) {
    const row = rows.get(`${sequence}/${position}`)!;
    for (const [i, value] of row.entries()) {
      const distance = Math.abs(value - golden[position * row.length + i]!);
      most = distance <= most ? most : distance; // NaN is kept
    }
  }
  return most;
}

async function tokensOf(
  context: ModelContext,
  targets: Lists,
  maxTokens: number,
): Promise<(number | undefined)[][]> {
  const steps: (number | undefined)[][] = [];
  for await (const step of context.generate(targets, { maxTokens, stop: [] })) steps.push(step);
  return targets.map((_, b) => steps.map((step) => step[b]));
}

/** Nats of a target's tokens, summed, by the model in float64. */
async function twinLoss(
  source: ModelSource,
  start: number,
  { source: read, target }: TextPair,
): Promise<number> {
  let sum = 0;
  for await (const { step, width, values } of twinOf(source, [start, ...target.slice(0, -1)], {
    source: read,
  })) {
    if (step !== 'logits') continue;
    for (const [t, token] of target.entries()) {
      const row = values.subarray(t * width, (t + 1) * width);
      sum += Math.log(row.reduce((all, logit) => all + Math.exp(logit), 0)) - row[token]!;
    }
  }
  return sum;
}

describe.each(['t5_v10', 't5_v11'])('%s', (family) => {
  const golden = goldenOf(family);
  const { prompt, decoder_input_ids: target, continuation, nll_mean } = golden;
  const start = [target[0]!];
  let model: Model;
  let context: ModelContext;

  beforeAll(async () => {
    model = await load(family);
    context = await model.createContext({
      batch: 2,
      capacity: 40,
      sourceCapacity: 30,
      kType: 'f32',
      chunk: 24,
    });
  }, 120_000);
  afterAll(() => {
    context.destroy();
    model.destroy();
  });

  test('has the logits of every position, in chunks and beside a sequence of another source', async () => {
    // A pass of 30 tokens takes the sources one by one; chunks of 24 end within both targets.
    await context.encode([prompt.slice(3, 10), prompt]);
    expect(context.sourceLengths).toEqual([7, prompt.length]);
    expect(worst(await logitsOf(context, [target.slice(0, 9), target]), 1, golden)).toBeLessThan(BOUND);
  });

  test('has the likelihood of the target', async () => {
    await context.encode([prompt, prompt]);
    const [, losses] = await context.losses([[], target]);
    const sum = losses!.reduce((all, loss) => all + loss, 0);
    expect(Math.abs(sum / losses!.length - nll_mean)).toBeLessThan(BOUND);
  });

  test('tells targets given their sources as the twin does, more of them than sequences', async () => {
    const pairs = [
      { source: prompt, target: target.slice(1) },
      { source: prompt.slice(4, 9), target: [7, 1] },
      { source: prompt.slice(2), target: target.slice(5, 12) },
    ];
    const alone = await context.pairPerplexity(pairs.slice(0, 1));
    expect(Math.abs(alone.nll - nll_mean)).toBeLessThan(BOUND);
    const shares: number[] = [];
    const all = await context.pairPerplexity(pairs, { onProgress: (share) => shares.push(share) });
    const source = await openModel(join(ROOT, family));
    let sum = 0;
    for (const pair of pairs) sum += await twinLoss(source, start[0]!, pair);
    await source.close();
    expect([all.pairs, all.tokens, shares]).toEqual([3, 19 + 2 + 7, [2 / 3, 1]]);
    expect(Math.abs(all.nll - sum / all.tokens)).toBeLessThan(BOUND);
    expect(all.perplexity).toBeCloseTo(Math.exp(all.nll), 9);
    expect(context.lengths).toEqual([0, 0]);
  });

  test('writes the same greedy tokens, side by side as alone', async () => {
    const other = prompt.slice(5, 17);
    await context.encode([prompt, other]);
    const [first, second] = await tokensOf(context, [start, start], 24);
    expect(first).toEqual(continuation);
    await context.encode([other, prompt]);
    expect(await tokensOf(context, [start, start], 24)).toEqual([second, first]);
    expect(second).not.toEqual(first);
  });

  test('goes on from a copy of the other sequence and its source, rolled back', async () => {
    await context.encode([prompt.slice(0, 4), prompt]);
    await context.feed([[], target]);
    await context.fork(1, 0);
    expect(context.sourceLengths).toEqual([prompt.length, prompt.length]);
    context.truncate(0, 5);
    context.truncate(1, 5);
    const next = target.slice(5, 9);
    expect(await tokensOf(context, [next, next], 6)).toEqual([
      continuation.slice(8, 14),
      continuation.slice(8, 14),
    ]);
  });
});

describe('a context of version 1.1', () => {
  const golden = goldenOf('t5_v11');
  const { prompt, decoder_input_ids: target, continuation } = golden;
  let model: Model;

  beforeAll(async () => {
    model = await load('t5_v11');
  });
  afterAll(() => model.destroy());

  test('has the memory that was planned', async () => {
    const source = await openModel(join(ROOT, 't5_v11'));
    const sizes = { batch: 2, capacity: 20, sourceCapacity: 30, kType: 'f16', chunk: 8 } as const;
    const plan = planMemory(source, sizes, device.facts);
    await source.close();
    // Heads of 9 take 16 elements; K and V of 4 heads in 2 layers, in f16.
    const perToken = 2 * 4 * 16 * 2 * 2;
    expect([plan.kvPerToken, plan.kvPerSourceToken]).toEqual([perToken, perToken]);
    expect(plan.kv).toBe(2 * (20 + 30) * perToken);
    // Norms of 33 elements, of 3 and 2 layers and behind them, one for each product that follows it; two tables of 39 distances.
    const norms = 2 * 3 + 3 * 2 + 2 + 1;
    expect(model.weightBytes - plan.weights).toBe(4 * (64 * norms + 2 * 4 * 39));
    expect(plan.total).toBe(plan.weights + plan.kv + plan.activations);
  });

  test('takes a target token by token, and several sources in a pass', async () => {
    const context = await model.createContext({
      batch: 3,
      capacity: 30,
      sourceCapacity: 24,
      kType: 'f32',
      chunk: 64,
    });
    await context.encode([prompt.slice(0, 3), prompt, prompt.slice(0, 9)]);
    const rows = new Map<string, Float32Array>();
    for (const token of target)
      for (const [key, row] of await logitsOf(context, [[], [token], []])) rows.set(key, row);
    expect(worst(rows, 1, golden)).toBeLessThan(BOUND);
    context.destroy();
  });

  test('has ten dispatches a layer of a step at most, and three besides', async () => {
    const context = await model.createContext({ capacity: 30, kType: 'f32', chunk: 20 });
    const encoder = device.gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const spy = vi.spyOn(Object.getPrototypeOf(pass) as GPUComputePassEncoder, 'dispatchWorkgroups');
    pass.end();
    try {
      const dispatchesOf = async (maxTokens: number) => {
        await context.encode([prompt]);
        spy.mockClear();
        await tokensOf(context, [[0]], maxTokens);
        return spy.mock.calls.length;
      };
      const step = (await dispatchesOf(9)) - (await dispatchesOf(8));
      expect(step).toBeGreaterThanOrEqual(2 * 9 + 3);
      expect(step).toBeLessThanOrEqual(2 * 10 + 3);
    } finally {
      spy.mockRestore();
      context.destroy();
    }
  });

  // Of f16, int8 and int4, and of narrow caches: checkEncoder.node.test.ts.
  test('with weights of bf16 is the model of the weights that are stored', async () => {
    const stored = (x: number) => bf16Values(Uint16Array.of(bf16Bits(x)))[0]!;
    const source = await openModel(join(ROOT, 't5_v11'));
    const rounded = new ModelSource('rounded', source.spec, {
      tensor: (name) => source.tensor(name),
      read: async (name) => {
        const bytes = await source.read(name);
        // Norms and tables of distances stay as they are.
        if (source.tensor(name)!.shape.length < 2 || name.includes('relative_attention_bias')) return bytes;
        const values = new Float32Array(bytes.slice().buffer).map(stored);
        return new Uint8Array(values.buffer);
      },
    });
    const logits: Map<string, Float32Array>[] = [];
    for (const [from, options] of [
      [source, { weightType: 'bf16' }],
      [rounded, {}],
    ] as const) {
      const narrow = await loadModel(device, from, options);
      const context = await narrow.createContext({ capacity: 30, kType: 'f32', chunk: 20 });
      await context.encode([prompt]);
      logits.push(await logitsOf(context, [target]));
      context.destroy();
      narrow.destroy();
    }
    await source.close();
    const [narrow, exact] = logits;
    expect(worst(narrow!, 0, golden)).toBeGreaterThan(BOUND);
    for (const [place, row] of narrow!) {
      const distances = row.map((value, i) => Math.abs(value - exact!.get(place)![i]!));
      expect(Math.max(...distances)).toBeLessThan(BOUND);
    }
  });

  test('refuses targets without a source, sources that cannot be, and texts without one', async () => {
    const context = await model.createContext({
      batch: 2,
      capacity: 6,
      sourceCapacity: 5,
      kType: 'f32',
      chunk: 8,
    });
    const refused = (act: () => Promise<unknown>) =>
      act().catch((error: unknown) => (error as Error).message);
    const none = /expected sources that encode was given before/;
    expect(await refused(() => context.feed([[0], [0]]))).toMatch(none);
    expect(await refused(() => context.logits([[0], [0]], () => {}))).toMatch(none);
    expect(await refused(() => context.losses([[0], [0]]))).toMatch(none);
    expect(await refused(() => tokensOf(context, [[0], [0]], 1))).toMatch(none);
    expect(await refused(() => context.encode([[1], []]))).toMatch(
      /encode: sequence 1: expected a source of at least one token, got none/,
    );
    expect(await refused(() => context.encode([[1, 2, 3, 4, 5, 6], [1]]))).toMatch(
      /encode: sequence 0: expected at most 5 tokens/,
    );
    expect(await refused(() => context.encode([[1, 2], [96]]))).toMatch(/below the vocabulary's 96, got 96/);
    expect(await refused(() => context.encode([[1]]))).toMatch(/encode: expected 2 lists of tokens, got 1/);
    expect(context.sourceLengths).toEqual([0, 0]);
    await context.encode([[1], [2, 3]]);
    await context.feed([[0], [0, 4]]);
    // Other sources make other targets.
    await context.encode([[5], [6]]);
    expect(context.lengths).toEqual([0, 0]);
    expect(await refused(() => context.perplexity([1, 2, 3]))).toMatch(
      /perplexity: expected a decoder-only model/,
    );
    const pairs = (...list: unknown[]) => refused(() => context.pairPerplexity(list as TextPair[]));
    expect(await pairs()).toMatch(/pairPerplexity: expected a list of at least one/);
    expect(await pairs(null)).toMatch(/pair 0: expected \{ source, target \}, got null/);
    const one = { source: [1], target: [1] };
    expect(await pairs(one, { source: [], target: [1] })).toMatch(
      /pair 1: source: expected at least one token/,
    );
    expect(await pairs({ source: [1], target: [] })).toMatch(/pair 0: target: expected at least one token/);
    expect(await pairs({ source: [1], target: [96] })).toMatch(/target: token 0: .*vocabulary's 96, got 96/);
    // The start token takes a place of the six.
    expect(await pairs({ source: [1], target: [1, 2, 3, 4, 5, 6] })).toMatch(
      /target: expected at most 5 tokens/,
    );
    expect(await pairs({ source: [1, 2, 3, 4, 5, 6], target: [1] })).toMatch(
      /source: expected at most 5 tokens/,
    );
    expect(await refused(() => tokensOf(context, [[0], [0]], 7))).toMatch(/capacity of at least 7/);
    context.destroy();
    expect(await refused(async () => model.createContext({ capacity: 6, sourceCapacity: 0 }))).toMatch(
      /sourceCapacity: expected a whole number from 1 to 16384/,
    );
    expect(continuation).toHaveLength(24);
  });
});

test('a model without an encoder has no sources', async () => {
  const model = await load('llama');
  await expect(model.createContext({ capacity: 6, sourceCapacity: 6 })).rejects.toThrow(
    /sourceCapacity: expected none.*llama has no encoder/,
  );
  const context = await model.createContext({ capacity: 6, chunk: 6 });
  await expect(context.encode([[1]])).rejects.toThrow(/encode: expected a model with an encoder/);
  await expect(context.pairPerplexity([{ source: [1], target: [1] }])).rejects.toThrow(
    /pairPerplexity: expected a model with an encoder, got one of type llama/,
  );
  expect([context.sourceCapacity, context.sourceLengths]).toEqual([0, [0]]);
  context.destroy();
  model.destroy();
});
