// gradientTwin.node.test.ts: gradients of whole models against central differences, and against those that PyTorch gave in float64.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openModelFolder } from '../../src/checkpoint/convert/disk/modelFolder.ts';
import { openModel } from '../../src/checkpoint/model/disk/openModel.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { twinOf } from '../../src/models/reference/twin.ts';
import type { TwinSource } from '../../src/models/reference/twinOptions.ts';
import { WeightReader } from '../../src/models/reference/weights.ts';
import fixture from './fixtures/gradients.json';
import {
  gradientTwin,
  lossTwin,
  NO_TARGET,
  type Batch,
  type Tensor,
  type Tensors,
} from '../../src/train/reference/gradientTwin.ts';
import { directionOf, sourceOf, TINY_NAMES, tinyModel } from './tinyModels.ts';

/** Numbers of the fixture have twelve digits. */
const DIGITS = 1e-11;

/** Of central differences of fourth order over such steps: what was seen is 3e-10, most of it rounding. */
const DIFFERENCES = 2e-9;
const STEP = 1e-5;

const directionFor = (name: string, { values }: Tensor) => directionOf(`${name} direction`, values.length);

const along = (gradient: Float64Array, direction: Float64Array) =>
  gradient.reduce((sum, d, i) => sum + d * direction[i]!, 0);

/** The derivative of the loss where some tensors move in their directions, by differences. */
function difference(spec: ModelSpec, tensors: Tensors, batch: Batch, moved: readonly string[]): number {
  const directions = new Map(moved.map((name) => [name, directionFor(name, tensors.get(name)!)]));
  const lossAt = (step: number) => {
    const changed = [...directions].map(([name, direction]): [string, Tensor] => {
      const { shape, values } = tensors.get(name)!;
      return [name, { shape, values: values.map((value, i) => value + step * direction[i]!) }];
    });
    return lossTwin(spec, new Map([...tensors, ...changed]), batch);
  };
  const [near, far] = [STEP, 2 * STEP].map((step) => lossAt(step) - lossAt(-step));
  return (8 * near! - far!) / (12 * STEP);
}

/** The loss by the twin of the forward pass, whose rows of K and V are not rounded. */
async function lossOf(source: TwinSource, { tokens, targets }: Batch): Promise<number> {
  const losses: number[] = [];
  for (const [i, sequence] of tokens.entries()) {
    for await (const { step, width, values } of twinOf(source, sequence, { kept: (_, kv) => kv })) {
      if (step !== 'logits') continue;
      for (const [t, target] of targets[i]!.entries()) {
        const row = values.subarray(t * width, (t + 1) * width);
        losses.push(Math.log(row.reduce((sum, z) => sum + Math.exp(z - row[target]!), 0)));
      }
    }
  }
  expect(losses).toHaveLength(tokens.flat().length);
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

describe.each(TINY_NAMES)('%s', (name) => {
  const { spec, tensors, batch } = tinyModel(name);
  const { loss, gradients } = gradientTwin(spec, tensors, batch);

  test("loss and gradients are PyTorch's", () => {
    const { loss: expectedLoss, gradients: expected } = fixture[name];
    expect(Math.abs(loss - expectedLoss)).toBeLessThan(DIGITS * expectedLoss);
    expect([...gradients.keys()].toSorted()).toEqual(Object.keys(expected).toSorted());
    for (const [tensor, { norm, along: product, elements }] of Object.entries(expected)) {
      const gradient = gradients.get(tensor)!;
      const bound = DIGITS * norm;
      expect(norm, tensor).toBeGreaterThan(0.01);
      expect(Math.abs(Math.hypot(...gradient) - norm), tensor).toBeLessThan(bound);
      const direction = directionFor(tensor, tensors.get(tensor)!);
      expect(Math.abs(along(gradient, direction) - product), tensor).toBeLessThan(
        bound * Math.hypot(...direction),
      );
      const kept = elements.map((_, i) => gradient[Math.floor((i * gradient.length) / elements.length)]!);
      expect(Math.max(...kept.map((d, i) => Math.abs(d - elements[i]!))), tensor).toBeLessThan(bound);
    }
  });

  test('the loss is that of the forward pass, and is computed alone too', async () => {
    expect(Math.abs(loss - (await lossOf(sourceOf(name, spec, tensors), batch)))).toBeLessThan(1e-12);
    expect(lossTwin(spec, tensors, batch)).toBe(loss);
  });

  test.each([...tensors.keys()])('the gradient by %s is that of differences', (tensor) => {
    const direction = directionFor(tensor, tensors.get(tensor)!);
    const found = difference(spec, tensors, batch, [tensor]);
    expect(Math.abs(along(gradients.get(tensor)!, direction) - found)).toBeLessThan(DIFFERENCES);
  });
});

const FAMILIES = fileURLToPath(new URL('../checkpoint/model/families', import.meta.url));

// Windows, caps, norms of heads and behind branches, fused and interleaved projections, other activations: each in one of these.
describe.each(readdirSync(FAMILIES).filter((family) => !family.startsWith('t5')))('family %s', (family) => {
  test('the loss is that of the forward pass, and its gradient that of differences', async () => {
    const folder = join(FAMILIES, family);
    const source = await openModel(folder);
    const { prompt } = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as { prompt: number[] };
    const batch = { tokens: [prompt.slice(0, -1)], targets: [prompt.slice(1)] };
    const tensors = await tensorsOf(source, [...(await openModelFolder(folder)).tensors.keys()]);
    const { loss, gradients } = gradientTwin(source.spec, tensors, batch);
    expect(Math.abs(loss - (await lossOf(source, batch)))).toBeLessThan(1e-12);
    await source.close();
    const slope = [...tensors].reduce(
      (sum, [name, tensor]) => sum + along(gradients.get(name)!, directionFor(name, tensor)),
      0,
    );
    const found = difference(source.spec, tensors, batch, [...tensors.keys()]);
    expect(Math.abs(slope)).toBeGreaterThan(1);
    expect(Math.abs(slope - found)).toBeLessThan(DIFFERENCES);
  });
});

test('a target that counts for nothing has no part in the mean, nor in gradients', () => {
  const { spec, tensors, batch } = tinyModel('mqa');
  const [tokens, targets] = [
    batch.tokens,
    batch.targets.map((own, i) => own.map((id, t) => (t >= 5 - i ? NO_TARGET : id))),
  ];
  const found = gradientTwin(spec, tensors, { tokens, targets });
  // Of causal attention, what follows the last target that counts is not seen.
  const cut = (rows: Batch['tokens'], i: number) => [rows[i]!.slice(0, 5 - i)];
  const parts = [0, 1].map((i) =>
    gradientTwin(spec, tensors, { tokens: cut(tokens, i), targets: cut(batch.targets, i) }),
  );
  const mean = (first: number, second: number) => (5 * first + 4 * second) / 9;
  expect(Math.abs(found.loss - mean(parts[0]!.loss, parts[1]!.loss))).toBeLessThan(1e-14);
  for (const [name, gradient] of found.gradients) {
    const [first, second] = parts.map(({ gradients }) => gradients.get(name)!);
    const errors = gradient.map((d, i) => Math.abs(d - mean(first![i]!, second![i]!)));
    expect(Math.max(...errors), name).toBeLessThan(1e-14);
  }
});

test.each([
  ['llama', 'tokens outside the vocabulary', [1, 29], [2, 3], 'token 29 is outside the vocabulary of 29'],
  ['llama', 'targets outside it', [1, 2], [2, -1], 'token -1 is outside the vocabulary of 29'],
  ['llama', 'fewer targets than tokens', [1, 2], [2], '2 tokens have 1 targets'],
  [
    'gpt2',
    'more tokens than positions',
    Array(25).fill(1),
    Array(25).fill(2),
    '25 tokens are more than the 24 positions',
  ],
] as const)('%s: %s are refused', (name, _, tokens, targets, message) => {
  const { spec, tensors } = tinyModel(name);
  expect(() => gradientTwin(spec, tensors, { tokens: [tokens], targets: [targets] })).toThrow(message);
});

test('a model with an encoder and a tensor that is missing are refused', async () => {
  const t5 = await openModel(join(FAMILIES, 't5_v11'));
  const { spec, batch } = tinyModel('llama');
  expect(() => gradientTwin(t5.spec, new Map(), batch)).toThrow('of type t5, with an encoder, are not known');
  await t5.close();
  expect(() => gradientTwin(spec, new Map(), batch)).toThrow('is missing');
});

async function tensorsOf(source: TwinSource, names: readonly string[]): Promise<Tensors> {
  const reader = new WeightReader(source, undefined);
  const read = async (name: string): Promise<[string, Tensor]> => [
    name,
    { shape: source.tensor(name)!.shape, values: Float64Array.from(await reader.vector(name)) },
  ];
  return new Map(await Promise.all(names.map(read)));
}
