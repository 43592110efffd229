// twin.node.test.ts: the twin of a whole model against golden outputs in float64 of twelve families, each of which transformers gave as well.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../src/checkpoint/model/disk/openModel.ts';
import { NAIVE_F32 } from '../../../src/models/reference/arithmetic.ts';
import { twinOf, type TwinRows } from '../../../src/models/reference/twin.ts';
import { worstError } from '../../../src/reference/verify.ts';

interface Golden {
  readonly prompt: readonly number[];
  readonly logits: readonly (readonly number[])[];
  readonly nll_mean: number;
  readonly hidden_norms: Readonly<Record<string, readonly number[]>>;
}

const ROOT = fileURLToPath(new URL('../../checkpoint/model/families', import.meta.url));

/** Golden numbers have seven digits behind the point, or nine. */
const DIGITS = 1e-7;

/** What golden outputs call a step's rows. */
function nameOf({ step, layer }: TwinRows): string {
  if (step === 'embedding') return 'embed';
  if (step === 'norm') return 'final_norm';
  const part = { attention: '.attn', mlp: '.mlp' }[step as 'attention'] ?? '';
  return `layer_${layer}${part}`;
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

describe.each(readdirSync(ROOT).filter((name) => !name.startsWith('t5')))('%s', (family) => {
  const golden = JSON.parse(readFileSync(join(ROOT, family, 'golden.json'), 'utf8')) as Golden;

  test('norms behind every step, logits and likelihood are the golden ones', async () => {
    const source = await openModel(join(ROOT, family));
    const seen: string[] = [];
    let last: TwinRows | undefined;
    for await (const rows of twinOf(source, golden.prompt)) {
      last = rows;
      if (rows.step === 'logits') break;
      const name = nameOf(rows);
      seen.push(name);
      expect(worstError(normsOf(rows), golden.hidden_norms[name]!).error, name).toBeLessThan(DIGITS);
    }
    await source.close();
    expect(seen.toSorted()).toEqual(Object.keys(golden.hidden_norms).toSorted());
    expect(worstError(last!.values, golden.logits.flat()).error).toBeLessThan(DIGITS);
    expect(Math.abs(meanLoss(last!, golden.prompt) - golden.nll_mean)).toBeLessThan(DIGITS);
  });

  test('in naive f32 it is off by what f32 is off by, and not by more', async () => {
    const source = await openModel(join(ROOT, family));
    let last: TwinRows | undefined;
    for await (const rows of twinOf(source, golden.prompt, { arithmetic: NAIVE_F32 })) last = rows;
    await source.close();
    const { error } = worstError(last!.values, golden.logits.flat());
    expect(error).toBeGreaterThan(DIGITS);
    expect(error).toBeLessThan(1e-4);
  });
});

test('a model with an encoder has no twin, and is told so', async () => {
  const source = await openModel(join(ROOT, 't5_v11'));
  await expect(twinOf(source, [1, 2]).next()).rejects.toThrow(
    'expected a decoder-only model, got one with an encoder',
  );
  await source.close();
});
