// randomModel.ts: a model of a config.json with seeded random weights: what it computes is noise, what it costs is the model's.
import { describeModel } from '../../src/checkpoint/model/describeModel.ts';
import { tensorsOf } from '../../src/checkpoint/model/tensorsOf.ts';
import { openConfig } from '../../src/models/configText.ts';
import { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { f16Bits, f16Value } from '../../src/numbers/halves.ts';
import { normals } from '../../src/numbers/random.ts';

/** Random numbers that are made; tensors have them again and again, each from another one on. */
const BLOCK = 2 ** 20;
const STRIDE = 7919;

/**
 * Opens it with so many KV heads, weights in f16: normal numbers that keep hidden states about as large as they are, gains
 * of norms about 1, biases small. Throws as `tensorsOf` and `describeModel` do.
 */
export function randomModel(config: unknown, kvHeads: number, name: string, seed: number): ModelSource {
  // A type without a field for KV heads takes the one that conversion adds to its config.
  const own = { ...openConfig(config, `${name}/config.json`).own, num_key_value_heads: kvHeads };
  const tensors = tensorsOf(own, 'F16', name);
  const spec = describeModel(tensors, own, name);
  const block = halves(normals(seed, BLOCK), 1 / Math.sqrt(spec.hiddenSize));
  const usual = spec.finalNorm.fromOne ? 0 : 1;
  const starts = new Map([...tensors.keys()].map((tensor, i) => [tensor, (i * STRIDE) % BLOCK]));
  return new ModelSource(name, spec, {
    tensor: (tensor) => tensors.get(tensor),
    read: (tensor) => {
      const { shape } = tensors.get(tensor)!;
      const values = new Uint16Array(shape.reduce((product, size) => product * size, 1));
      repeat(block, starts.get(tensor)!, values);
      if (shape.length === 1 && !tensor.endsWith('bias')) addTo(values, usual);
      return Promise.resolve(new Uint8Array(values.buffer));
    },
  });
}

function halves(values: Float32Array, scale: number): Uint16Array {
  return Uint16Array.from(values, (value) => f16Bits(value * scale));
}

function addTo(values: Uint16Array, more: number): void {
  for (let i = 0; i < values.length; i++) values[i] = f16Bits(f16Value(values[i]!) + more);
}

function repeat(block: Uint16Array, start: number, into: Uint16Array): void {
  for (let at = 0, from = start; at < into.length; from = 0) {
    const part = block.subarray(from, Math.min(block.length, from + into.length - at));
    into.set(part, at);
    at += part.length;
  }
}
