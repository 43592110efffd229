// layouts.node.test.ts: checkpoints of many families as parameters, and back as the same tensors; what is said of models that cannot be trained.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SafetensorsFile } from '../../src/checkpoint/format/file.ts';
import { describeModel } from '../../src/checkpoint/model/describeModel.ts';
import { openModel } from '../../src/checkpoint/model/disk/openModel.ts';
import { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { blocksOf, layOut } from '../../src/train/parameters.ts';
import { checkTrainable } from '../../src/train/trainable.ts';
import { parameterCount, readParameters, tensorsOf } from '../../src/train/weights.ts';

const FAMILIES = fileURLToPath(new URL('../checkpoint/model/families', import.meta.url));

/** A family's golden model, its config.json changed. */
async function opened(family: string, changes: Readonly<Record<string, unknown>> = {}) {
  const folder = join(FAMILIES, family);
  const file = await SafetensorsFile.open(join(folder, 'model.safetensors'));
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object;
  const spec = describeModel(file.header.tensors, { ...config, ...changes }, family);
  const reader = {
    tensor: (name: string) => file.header.tensors.get(name),
    read: (name: string) => file.read(name),
  };
  return { spec, file, source: new ModelSource(family, spec, reader) };
}

test.each([
  ['llama', {}], // tied, or not, as it says itself
  ['mistral', {}], // GQA
  ['qwen2', {}], // biases of q, k and v
  ['phi3', { sliding_window: null }], // q, k, v in one tensor, gate and up in another
  ['gpt2', {}], // [in, out], learned positions
  ['gpt_neox', { use_parallel_residual: false }], // q, k and v head by head
] as const)('%s: every tensor comes back as it was', async (family, changes) => {
  const { spec, file, source } = await opened(family, changes);
  const layout = layOut(spec);
  const tensors = tensorsOf(layout, await readParameters(layout, source), source);
  // Masks and frequencies, which are no parameters.
  const names = [...file.header.tensors.keys()].filter(
    (name) => !/attention\.(masked_)?bias$|inv_freq$/.test(name),
  );
  expect([...tensors.keys()].toSorted()).toEqual(names.toSorted());
  let count = 0;
  for (const [name, { shape, values }] of tensors) {
    const stored = await file.readFloat32(name);
    expect(shape, name).toEqual(stored.shape);
    expect(values, name).toEqual(stored.data);
    count += values.length;
  }
  expect(parameterCount(layout)).toBe(count);
  // No parameter lies in two blocks, and each block where a device can bind it.
  let end = 0;
  for (const { offset, rows, columns } of blocksOf(layout).toSorted((a, b) => a.offset - b.offset)) {
    expect([offset >= end, (offset * 4) % 256]).toEqual([true, 0]);
    end = offset + rows * columns;
  }
  expect(end).toBeLessThanOrEqual(layout.count);
  await file.close();
});

test.each([
  ['gemma2', 'gemma2', 'a scaled embedding'],
  ['gemma3', 'gemma3_text', 'a scaled embedding'],
  ['gpt_neox', 'gpt_neox', 'attention beside the feed-forward network'],
  ['nanochat', 'nanochat', 'a norm behind the embedding'],
  ['phi3', 'phi3', 'attention with a window'],
  ['qwen3', 'qwen3', 'norms of queries and keys'],
  ['t5_v10', 't5', 'an encoder'],
] as const)('%s is refused by its type and by what it has', async (family, type, what) => {
  const { spec } = await openModel(join(FAMILIES, family));
  expect(() => checkTrainable(spec)).toThrow(
    `train: a model of type "${type}" cannot be trained: there is no backward pass of ${what}`,
  );
});

test.each([
  ['gpt2', 'its hidden size is 36, a multiple of 8 is expected'],
  ['llama', 'its head dim is 10, a multiple of 8 is expected'],
  ['qwen2', 'its width of the feed-forward network is 77, a multiple of 8 is expected'],
] as const)('%s of widths that kernels do not take is refused by the number', async (family, what) => {
  const { spec } = await openModel(join(FAMILIES, family));
  expect(() => checkTrainable(spec)).toThrow(`cannot be trained: ${what}`);
});
