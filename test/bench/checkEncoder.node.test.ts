// checkEncoder.node.test.ts: models with an encoder on a device against their twins: narrow and merged ones pass, and a fault is found where it is.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openModel } from '../../src/checkpoint/model/disk/openModel.ts';
import { openDevice, type GqaDevice } from '../../src/index.ts';
import type { AttentionSpec, LayerSpec, ModelSpec } from '../../src/models.ts';
import { nodeGpu } from '../../src/node.ts';
import { checked, wrong } from '../support/checkedModel.ts';

const ROOT = fileURLToPath(new URL('../checkpoint/model/families', import.meta.url));

let device: GqaDevice;

beforeAll(async () => {
  device = await openDevice((await nodeGpu({ adapter: 'swiftshader' })).gpu);
});

afterAll(() => device.destroy());

describe('a right model passes', () => {
  test.each([
    ['t5_v11', 'f16', 'int4', 'int4'],
    ['t5_v10', 'int8', 'int8', 'bf16'],
  ] as const)(
    '%s with weights %s, K %s and V %s',
    { timeout: 60_000 },
    async (family, weightType, kType, vType) => {
      const source = await openModel(join(ROOT, family));
      const { encoder, layers: decoder } = source.spec;
      const result = await checked(device, source, { weightType, types: { kType, vType } });
      expect(wrong(result)).toEqual([]);
      expect(result.pass).toBe(true);
      expect(result.chosen).toHaveLength(5);
      const names = result.layers.map(({ stack, layer }) => `${stack} ${layer}`);
      expect(names).toEqual([
        'encoder embedding',
        ...encoder!.layers.map((_, i) => `encoder ${i}`),
        'decoder embedding',
        ...decoder.map((_, i) => `decoder ${i}`),
      ]);
      const withKv = result.layers.filter(({ k, v }) => k && v);
      expect(withKv).toHaveLength(encoder!.layers.length + decoder.length);
      const withCross = result.layers.filter(({ crossK, crossV }) => crossK && crossV);
      expect(withCross.map(({ stack }) => stack)).toEqual(decoder.map(() => 'decoder'));
      // Arithmetic in f32 is off by something: nothing was compared with itself.
      expect(result.layers[1]!.error).toBeGreaterThan(0);
      expect(result.logits.error).toBeGreaterThan(0);
      expect(result.logits.bound).toBeLessThan(3e-4);
    },
  );

  test('merged to two KV heads in self- and cross-attention', { timeout: 60_000 }, async () => {
    const rest = { grouping: 'neighbours', headMap: 'contiguous', renorm: true, seed: 1 } as const;
    const source = await openModel(join(ROOT, 't5_v11'), { kvHeads: 2, method: 'mean', ...rest });
    const [layer] = source.spec.layers;
    expect([layer!.attention.numKvHeads, layer!.cross!.attention.numKvHeads]).toEqual([2, 2]);
    expect(wrong(await checked(device, source, { types: { kType: 'f16' } }))).toEqual([]);
  });
});

type Fault = (spec: ModelSpec) => ModelSpec;
type ChangeLayer = (layer: LayerSpec, i: number) => LayerSpec;
type ChangeAttention = (attention: AttentionSpec) => Partial<AttentionSpec>;

const inEncoder =
  (change: ChangeLayer): Fault =>
  ({ encoder, ...spec }) => ({ ...spec, encoder: { ...encoder!, layers: encoder!.layers.map(change) } });
const inDecoder =
  (change: ChangeLayer): Fault =>
  (spec) => ({ ...spec, layers: spec.layers.map(change) });
const own =
  (change: ChangeAttention, from = 0): ChangeLayer =>
  (layer, i) =>
    i < from ? layer : { ...layer, attention: { ...layer.attention, ...change(layer.attention) } };
const cross =
  (change: ChangeAttention, from = 0): ChangeLayer =>
  ({ cross: one, ...layer }, i) => ({
    ...layer,
    cross: i < from ? one! : { ...one!, attention: { ...one!.attention, ...change(one!.attention) } },
  });
const turned =
  (name: 'q' | 'k' | 'v'): ChangeAttention =>
  (attention) => {
    const { rowOf, outputs } = attention[name];
    const next = (output: number) => rowOf((output + attention.headDim) % outputs);
    return { [name]: { ...attention[name], rowOf: next } };
  };
const bias =
  (change: object): ChangeAttention =>
  ({ relativeBias }) => ({ relativeBias: { ...relativeBias!, ...change } });

/** Faults by what they are, and what they show in first. The encoder has three layers, the decoder two. */
const FAULTS: Readonly<Record<string, readonly [first: string, Fault]>> = {
  "the epsilon of a norm in the encoder's second layer": [
    'k encoder 1',
    inEncoder((layer, i) =>
      i === 1 ? { ...layer, attentionNorm: { ...layer.attentionNorm, eps: 1e-3 } } : layer,
    ),
  ],
  "the encoder's values in another order": ['v encoder 2', inEncoder(own(turned('v'), 2))],
  'distances one way in the encoder': ['encoder 0', inEncoder(own(bias({ bothWays: false })))],
  'the farthest distance in the encoder': ['encoder 0', inEncoder(own(bias({ maxDistance: 25 })))],
  "the activation of the encoder's last layer": [
    'encoder 2',
    inEncoder((layer, i) => (i === 2 ? { ...layer, mlp: { ...layer.mlp, activation: 'gelu_erf' } } : layer)),
  ],
  "the epsilon of the encoder's final norm": [
    'crossK 0',
    ({ encoder, ...spec }) => ({
      ...spec,
      encoder: { ...encoder!, finalNorm: { ...encoder!.finalNorm, eps: 1e-3 } },
    }),
  ],
  'keys of the source in another order': ['crossK 1', inDecoder(cross(turned('k'), 1))],
  'values of the source in another order': ['crossV 0', inDecoder(cross(turned('v')))],
  'queries to the source in another order': ['1', inDecoder(cross(turned('q'), 1))],
  'the scale of scores of the source': ['0', inDecoder(cross(({ scale }) => ({ scale: scale * 1.001 })))],
  'the norm in front of cross-attention': [
    '1',
    inDecoder((layer, i) => {
      const { norm, attention } = layer.cross!;
      return i === 1 ? { ...layer, cross: { norm: { ...norm, eps: 1e-3 }, attention } } : layer;
    }),
  ],
  'distances both ways in the decoder': ['0', inDecoder(own(bias({ bothWays: true })))],
  "the encoder's biases by distance in the decoder": [
    '0',
    (spec) => {
      const { tensor } = spec.encoder!.layers[0]!.attention.relativeBias!;
      return inDecoder(own(bias({ tensor })))(spec);
    },
  ],
  'the scale of logits': ['logits', (spec) => ({ ...spec, head: { ...spec.head, scale: 1.001 } })],
};

describe('a fault does not pass', () => {
  test.each(Object.entries(FAULTS))('%s', { timeout: 60_000 }, async (_, [first, faulty]) => {
    const result = await checked(device, await openModel(join(ROOT, 't5_v11')), { faulty });
    expect(result.pass).toBe(false);
    expect(wrong(result)[0]).toBe(first);
  });

  test.each(['keys of the source in another order', 'the scale of scores of the source'])(
    'nor %s, behind caches of int4',
    { timeout: 60_000 },
    async (name) => {
      const [first, faulty] = FAULTS[name]!;
      const source = await openModel(join(ROOT, 't5_v11'));
      const result = await checked(device, source, { faulty, types: { kType: 'int4' } });
      expect(wrong(result)[0]).toBe(first);
    },
  );

  test('a token that is not the likeliest', { timeout: 60_000 }, async () => {
    const { chosen } = await checked(device, await openModel(join(ROOT, 't5_v11')));
    const others = chosen.map((token, i) => (i === 3 ? token + 1 : token));
    const result = await checked(device, await openModel(join(ROOT, 't5_v11')), { chosen: others });
    expect(wrong(result)).toEqual(['token']);
    expect(result.divergence).toMatchObject({ at: 3, device: others[3], twin: chosen[3], tie: false });
  });
});
