// twin.node.test.ts: the twin of a whole model against golden outputs in float64 of fourteen families, each of which transformers gave as well.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../src/checkpoint/model/disk/openModel.ts';
import { ModelSource } from '../../../src/models/decoder/modelSource.ts';
import type { AttentionSpec, LayerSpec, ModelSpec } from '../../../src/models/decoder/spec.ts';
import { NAIVE_F32 } from '../../../src/models/reference/arithmetic.ts';
import { twinOf, type TwinRows } from '../../../src/models/reference/twin.ts';
import type { TwinOptions, TwinSource } from '../../../src/models/reference/twinOptions.ts';
import { worstError } from '../../../src/reference/verify.ts';

interface Golden {
  readonly prompt: readonly number[];
  /** The text, where the prompt is an encoder's source. */
  readonly decoder_input_ids?: readonly number[];
  readonly logits: readonly (readonly number[])[];
  readonly nll_mean: number;
  readonly hidden_norms: Readonly<Record<string, readonly number[]>>;
  /** How far logits move by a named mistake, three digits. */
  readonly faults_max_abs_logit_diff: Readonly<Record<string, number>>;
}

const ROOT = fileURLToPath(new URL('../../checkpoint/model/families', import.meta.url));

/** Golden numbers have seven digits behind the point, or nine. */
const DIGITS = 1e-7;

const goldenOf = (family: string) =>
  JSON.parse(readFileSync(join(ROOT, family, 'golden.json'), 'utf8')) as Golden;

/** What golden outputs call a step's rows. */
function nameOf({ step, layer }: TwinRows): string {
  if (step === 'embedding') return 'embed';
  if (step === 'norm') return 'final_norm';
  const part = { attention: '.attn', mlp: '.mlp' }[step as 'attention'] ?? '';
  return `layer_${layer}${part}`;
}

/** The same of a model with an encoder, of which there are none of the steps within layers. */
function nameInStack(rows: TwinRows): string | undefined {
  const isWithin = rows.step === 'attention' || rows.step === 'cross' || rows.step === 'mlp';
  return isWithin ? undefined : `${rows.stack}.${nameOf(rows)}`;
}

/** The text that golden logits belong to, and what the encoder reads. */
function textOf({ prompt, decoder_input_ids: target }: Golden): [readonly number[], TwinOptions] {
  return target ? [target, { source: prompt }] : [prompt, {}];
}

async function logitsOf(
  source: TwinSource,
  golden: Golden,
  options: TwinOptions = {},
): Promise<Float64Array> {
  const [tokens, ofSource] = textOf(golden);
  for await (const { step, values } of twinOf(source, tokens, { ...ofSource, ...options })) {
    if (step === 'logits') return values;
  }
  throw new Error('a twin without logits');
}

function normsOf({ values, width }: TwinRows): number[] {
  return Array.from({ length: values.length / width }, (_, row) =>
    Math.hypot(...values.subarray(row * width, (row + 1) * width)),
  );
}

function meanLoss({ values, width }: TwinRows, tokens: readonly number[]): number {
  const losses = tokens.slice(1).map((token, t) => {
    const row = values.subarray(t * width, (t + 1) * width);
    return Math.log(row.reduce((sum, z) => sum + Math.exp(z - row[token]!), 0));
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

describe.each(readdirSync(ROOT))('%s', (family) => {
  const golden = goldenOf(family);
  const [text, ofSource] = textOf(golden);

  test('norms behind every step, logits and likelihood are the golden ones', async () => {
    const source = await openModel(join(ROOT, family));
    const seen: string[] = [];
    let last: TwinRows | undefined;
    for await (const rows of twinOf(source, text, ofSource)) {
      last = rows;
      if (rows.step === 'logits') break;
      const name = source.spec.encoder ? nameInStack(rows) : nameOf(rows);
      if (name === undefined) continue;
      seen.push(name);
      expect(worstError(normsOf(rows), golden.hidden_norms[name]!).error, name).toBeLessThan(DIGITS);
    }
    await source.close();
    expect(seen.toSorted()).toEqual(Object.keys(golden.hidden_norms).toSorted());
    expect(worstError(last!.values, golden.logits.flat()).error).toBeLessThan(DIGITS);
    expect(Math.abs(meanLoss(last!, text) - golden.nll_mean)).toBeLessThan(DIGITS);
  });

  test('in naive f32 it is off by what f32 is off by, and not by more', async () => {
    const source = await openModel(join(ROOT, family));
    const logits = await logitsOf(source, golden, { arithmetic: NAIVE_F32 });
    await source.close();
    const { error } = worstError(logits, golden.logits.flat());
    expect(error).toBeGreaterThan(DIGITS);
    expect(error).toBeLessThan(1e-4);
  });
});

type Fault = (spec: ModelSpec) => ModelSpec;

const inDecoder =
  (change: (layer: LayerSpec) => LayerSpec): Fault =>
  (spec) => ({ ...spec, layers: spec.layers.map(change) });
const inEncoder =
  (change: (layer: LayerSpec) => LayerSpec): Fault =>
  ({ encoder, ...spec }) => ({
    ...spec,
    encoder: { ...encoder!, layers: encoder!.layers.map(change) },
  });
const inBoth =
  (change: (layer: LayerSpec) => LayerSpec): Fault =>
  (spec) =>
    inEncoder(change)(inDecoder(change)(spec));
const inAttention =
  (change: (attention: AttentionSpec) => AttentionSpec) =>
  ({ attention, cross, ...rest }: LayerSpec): LayerSpec => ({
    ...rest,
    attention: change(attention),
    ...(cross && { cross: { ...cross, attention: change(cross.attention) } }),
  });
const withoutBias = (attention: AttentionSpec): AttentionSpec => {
  const rest: { -readonly [K in keyof AttentionSpec]: AttentionSpec[K] } = { ...attention };
  delete rest.relativeBias;
  return rest;
};
const bothWays = (value: boolean) =>
  inAttention(({ relativeBias, ...rest }) => ({
    ...rest,
    ...(relativeBias && { relativeBias: { ...relativeBias, bothWays: value } }),
  }));
const ofHead =
  (powerOfWidth: number): Fault =>
  (spec) => ({ ...spec, head: { ...spec.head, scale: spec.hiddenSize ** powerOfWidth } });

/** Mistakes with T5 by the names that golden outputs have for them. */
const MISTAKES: Readonly<Record<string, Fault>> = {
  'scores / sqrt(d_kv)': inBoth(
    inAttention((attention) => ({ ...attention, scale: 1 / Math.sqrt(attention.headDim) })),
  ),
  'decoder buckets both ways': inDecoder(bothWays(true)),
  'encoder buckets one way': inEncoder(bothWays(false)),
  'no relative bias': inBoth(inAttention(withoutBias)),
  'head not scaled by d_model^-0.5': ofHead(0),
  'head scaled by d_model^-0.5': ofHead(-0.5),
  'erf gelu': inBoth(({ mlp, ...rest }) => ({ ...rest, mlp: { ...mlp, activation: 'gelu_erf' } })),
  'wi_0 and wi_1 swapped': inBoth(({ mlp, ...rest }) => ({
    ...rest,
    mlp: { ...mlp, gate: mlp.up, up: mlp.gate! },
  })),
};

describe.each(['t5_v10', 't5_v11'])('mistakes with %s', (family) => {
  const golden = goldenOf(family);

  test.each(Object.entries(golden.faults_max_abs_logit_diff))(
    '%s moves the logits by %d',
    async (name, moved) => {
      const source = await openModel(join(ROOT, family));
      const mistaken = new ModelSource(name, MISTAKES[name]!(source.spec), source);
      const logits = await logitsOf(mistaken, golden);
      await source.close();
      const { error } = worstError(logits, golden.logits.flat());
      expect(Number(error.toPrecision(3))).toBe(moved);
    },
  );
});

test.each([
  ['t5_v11', [], 'expected a source of at least one token for the encoder of t5, got none'],
  ['llama', [1, 2], 'expected no source, for a model of type llama has no encoder, got 2 tokens'],
])('%s refuses a source of %j', async (family, source, message) => {
  const model = await openModel(join(ROOT, family));
  await expect(twinOf(model, [1, 2], { source }).next()).rejects.toThrow(message);
  await model.close();
});
