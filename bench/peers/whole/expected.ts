// expected.ts: what the model's logits and greedy tokens are, and how far off a contestant may be.
import { NAIVE_F32, type Arithmetic } from '../../../src/models/reference/arithmetic.ts';
import { twinOf } from '../../../src/models/reference/twin.ts';
import type { TwinOptions, TwinSource } from '../../../src/models/reference/twinOptions.ts';
import { f16Bits, f16Value } from '../../../src/numbers/halves.ts';
import { largest, within, worstError } from '../../../src/reference/verify.ts';
import type { RowCheck } from '../../schema/schema.ts';
import type { PeerType } from '../inputs.ts';

/** Float64 truth of a text: a prompt and the greedy tokens that follow it. */
export interface WholeExpected {
  readonly prompt: readonly number[];
  /** Those that follow the prompt. */
  readonly greedy: readonly number[];
  /** The logits behind each token of the text but the last. */
  readonly logits: readonly Float64Array[];
  /** On the worst absolute error of a logit, by the type that a contestant computes in. */
  readonly bounds: Readonly<Record<PeerType, number>>;
}

/** What a contestant comes to: the logits behind each token of the text but the last, and its own greedy tokens. */
export interface WholeAnswer {
  readonly logits: readonly ArrayLike<number>[];
  readonly greedy: readonly number[];
}

const roundF16 = (x: number) => f16Value(f16Bits(x));

/** A simple implementation in f16: every result is rounded, products of matrices once behind their f32 sums. */
const NAIVE_F16: Arithmetic = {
  round: roundF16,
  dot: (...args) => roundF16(NAIVE_F32.dot(...args)),
};

/**
 * flash-attention's rule for whole models: a contestant's worst error may be twice that of a simple implementation in the type
 * it computes in over a KV cache of `type`, plus 1e-6 of the largest logit.
 */
export async function expectWhole(
  source: TwinSource,
  type: PeerType,
  prompt: readonly number[],
  tokens: number,
): Promise<WholeExpected> {
  const text = [...prompt];
  let logits: Float64Array[] = [];
  while (text.length < prompt.length + tokens) {
    logits = await logitsOf(source, text);
    text.push(argmax(logits.at(-1)!));
  }
  const most = Math.max(...logits.map(largest));
  const boundOf = async (arithmetic: Arithmetic) => {
    const simple = await logitsOf(source, text.slice(0, -1), { arithmetic, kType: type });
    return 2 * Math.max(...logits.map((row, i) => worstError(simple[i]!, row).error)) + 1e-6 * most;
  };
  const f32 = await boundOf(NAIVE_F32);
  const bounds = { f32, f16: type === 'f16' ? await boundOf(NAIVE_F16) : f32 };
  return { prompt, greedy: text.slice(prompt.length), logits, bounds };
}

/** A row for each token. */
async function logitsOf(
  source: TwinSource,
  tokens: readonly number[],
  options: TwinOptions = {},
): Promise<Float64Array[]> {
  for await (const { step, width, values } of twinOf(source, tokens, options)) {
    if (step === 'logits') return tokens.map((_, t) => values.subarray(t * width, (t + 1) * width));
  }
  throw new Error('a twin without logits');
}

/** The place of the largest number, the first of several. */
function argmax(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Holds an answer against the truth. Throws Error for greedy tokens that no error of the logits explains. */
export function checkAnswer(expected: WholeExpected, arithmetic: PeerType, answer: WholeAnswer): RowCheck {
  const { logits } = expected;
  const bound = expected.bounds[arithmetic];
  if (answer.logits.length !== logits.length)
    throw new Error(`expected logits behind ${logits.length} tokens, got ${answer.logits.length}`);
  const errors = logits.map((row, i) => worstError(answer.logits[i]!, row).error);
  const error = errors.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), 0);
  const fault = tokenFault(expected, bound, answer.greedy);
  if (fault !== undefined) throw new Error(fault);
  return { ref: 'cpu-f64', pass: within(error, bound), maxAbsErr: error, bound };
}

/**
 * What is wrong with greedy tokens, or undefined. Where the truth has two logits closer than errors may move them apart, 2 *
 * bound, either is right; the texts differ from there on, and the rest is not compared.
 */
function tokenFault(
  { prompt, greedy, logits }: WholeExpected,
  bound: number,
  given: readonly number[],
): string | undefined {
  if (given.length !== greedy.length) return `expected ${greedy.length} greedy tokens, got ${given.length}`;
  const at = given.findIndex((token, i) => token !== greedy[i]);
  if (at < 0) return undefined;
  const row = logits[prompt.length - 1 + at]!;
  const below = row[greedy[at]!]! - (row[given[at]!] ?? -Infinity);
  if (below <= 2 * bound) return undefined;
  return `greedy token ${at}: expected ${greedy[at]}, got ${given[at]}, whose logit is ${below.toExponential(2)} below, where ${(2 * bound).toExponential(2)} may be an error`;
}
