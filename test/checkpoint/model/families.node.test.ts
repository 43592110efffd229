// families.node.test.ts: a tiny model of each family against golden outputs in float64, each of which transformers gave as well.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDevice, type GqaDevice } from '../../../src/index.ts';
import { nodeGpu } from '../../../src/node.ts';
import { openModel } from '../../../src/checkpoint/model/disk/openModel.ts';
import type { ModelContext } from '../../../src/models/decoder/context.ts';
import { productVariants } from '../../../src/kernels/model/variants.ts';
import { loadModel } from '../../../src/models/decoder/model.ts';
import { testDevice } from '../../support/device.ts';

interface Golden {
  readonly prompt: readonly number[];
  readonly logits: readonly number[];
  readonly logits_shape: readonly [number, number];
  readonly nll_mean: number;
  readonly continuation: readonly number[];
}

/** Of an f32 engine; torch in f32 is within 1.9e-5, and the weakest of the faults that the fixtures name moves logits by 1.6e-3. */
const BOUND = 3e-4;

const ROOT = fileURLToPath(new URL('families', import.meta.url));

/** The adapter that npm brings, which compiles a model's kernels in a tenth of another software adapter's time. */
let embedded: GqaDevice;

/** The same as if it were a GPU: products of workgroups, and `gemm` for prompts, which software adapters do not choose. */
let asGpu: GqaDevice;

beforeAll(async () => {
  const { gpu } = await nodeGpu({ adapter: 'swiftshader' });
  [embedded, asGpu] = [await openDevice(gpu), await openDevice(gpu)];
  Object.defineProperty(asGpu, 'facts', { value: { ...asGpu.facts, software: false } });
});

afterAll(() => {
  embedded.destroy();
  asGpu.destroy();
});

/** A family that runs on the machine's own adapter too: windows, two norms, norms of q and k. */
const ON_BOTH = ['gemma3'];

/** Families that run through a GPU's kernels too: RMSNorm and gates, LayerNorm and biases. */
const AS_ON_GPUS = ['gemma2', 'gpt2'];

/** Tokens written there: the same steps again, slower. */
const FEWER = 8;

/** What a context of one sequence makes of a prompt: logits of every position, row by row. */
async function logitsOf(
  context: ModelContext,
  prompts: readonly (readonly number[])[],
): Promise<Map<string, Float32Array>> {
  const rows = new Map<string, Float32Array>();
  await context.logits(prompts, ({ sequence, position, logits }) =>
    rows.set(`${sequence}/${position}`, logits),
  );
  return rows;
}

function worst(rows: Map<string, Float32Array>, sequence: number, { logits, logits_shape }: Golden): number {
  const [positions, vocab] = logits_shape;
  let most = 0;
  for (let position = 0; position < positions; position++) {
    const row = rows.get(`${sequence}/${position}`)!;
    expect(row).toHaveLength(vocab);
    for (let i = 0; i < vocab; i++) {
      const distance = Math.abs(row[i]! - logits.flat()[position * vocab + i]!);
      most = distance <= most ? most : distance; // NaN is kept
    }
  }
  return most;
}

async function greedy(context: ModelContext, prompt: readonly number[], count: number): Promise<number[]> {
  const tokens: number[] = [];
  for await (const [token] of context.generate([prompt], { maxTokens: count, stop: [] })) tokens.push(token!);
  return tokens;
}

// Models with an encoder have sources besides: t5.node.test.ts.
describe.each(readdirSync(ROOT).filter((family) => !family.startsWith('t5')))('%s', (family) => {
  const folder = join(ROOT, family);
  const golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as Golden;
  const { prompt, continuation, nll_mean } = golden;

  const run = async (device: GqaDevice, maxTokens = continuation.length) => {
    const source = await openModel(folder);
    const model = await loadModel(device, source);
    await source.close();
    const context = await model.createContext({ batch: 2, capacity: 60, kType: 'f32', chunk: 24 });
    try {
      // A sequence of another length beside it, in chunks that end within both.
      const other = prompt.slice(3, 10);
      const rows = await logitsOf(context, [other, prompt]);
      expect(worst(rows, 1, golden)).toBeLessThan(BOUND);
      context.cache.truncate(0);
      const { nll } = await context.perplexity(prompt);
      expect(Math.abs(nll - nll_mean)).toBeLessThan(BOUND);
      // Token by token after a prompt, both sequences the same.
      const tokens: (number | undefined)[][] = [];
      for await (const step of context.generate([prompt, prompt], { maxTokens, stop: [] })) tokens.push(step);
      expect(tokens.map(([token]) => token)).toEqual(continuation.slice(0, maxTokens));
      expect(tokens.map(([, token]) => token)).toEqual(continuation.slice(0, maxTokens));
      expect(context.lengths).toEqual(Array.from({ length: 2 }, () => prompt.length + maxTokens - 1));
      // Rolled back, and on from a copy of the other sequence.
      context.truncate(0, 0);
      await context.fork(1, 0);
      context.truncate(0, prompt.length);
      context.truncate(1, prompt.length);
      const again: (number | undefined)[][] = [];
      const next = continuation.slice(0, 4);
      for await (const step of context.generate([next, next], { maxTokens: 6, stop: [] })) again.push(step);
      expect(again.map(([token]) => token)).toEqual(continuation.slice(4, 10));
    } finally {
      context.destroy();
      model.destroy();
    }
  };

  test(
    'logits, greedy tokens and likelihood, of prompts whole, in chunks and side by side',
    { timeout: 300_000 },
    () => run(embedded),
  );

  test.runIf(ON_BOTH.includes(family))(
    "the same on the machine's own adapter",
    { timeout: 300_000 },
    async () => run(await testDevice(), FEWER),
  );

  test.runIf(AS_ON_GPUS.includes(family))(
    "the same through a GPU's kernels",
    { timeout: 300_000 },
    async () => {
      expect(productVariants(asGpu.facts, 2).chunk.gemm).toBeDefined();
      await run(asGpu, FEWER);
    },
  );
});

test('prompts in chunks of a few tokens are as those in one', { timeout: 300_000 }, async () => {
  // A window in every layer, whose one attention kernel compiles for each chunk.
  const folder = join(ROOT, 'mistral');
  const golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as Golden;
  const source = await openModel(folder);
  const model = await loadModel(embedded, source);
  await source.close();
  try {
    for (const chunk of [1, 5]) {
      const context = await model.createContext({ capacity: 60, kType: 'f32', chunk });
      expect(worst(await logitsOf(context, [golden.prompt]), 0, golden)).toBeLessThan(BOUND);
      context.truncate(0, 0);
      expect(await greedy(context, golden.prompt, 4)).toEqual(golden.continuation.slice(0, 4));
      context.destroy();
    }
  } finally {
    model.destroy();
  }
});
