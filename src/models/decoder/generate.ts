// generate.ts: texts token by token: prompts in, an asynchronous iterator of the tokens that follow them out.
import { ShapeError } from '../../device/errors.ts';
import {
  checkFinite,
  checkList,
  checkOptions,
  checkWhole,
  describe,
  type Known,
} from '../../device/options.ts';
import { DEFAULT_SEED } from '../../numbers/random.ts';
import type { Sampling } from '../../kernels/model/modelStep.ts';
import { MOST_SLOTS } from './bindContext.ts';
import { checkTexts } from './contextArgs.ts';
import type { ContextCore } from './contextCore.ts';

/** How tokens are chosen, and when to stop. */
export interface GenerateOptions {
  /** Tokens of each sequence at most, 1 or more. */
  readonly maxTokens: number;
  /** Logits are divided by it before one is drawn; 0 takes the likeliest. Default 0. */
  readonly temperature?: number;
  /** Of so many likeliest tokens one is drawn, and of those that tie with the last of them; 0 for all. Default 0. */
  readonly topK?: number;
  /** One is drawn of the likeliest tokens that have this share of the probability together, of those that `topK` leaves. Default 1. */
  readonly topP?: number;
  /** 0 to 2^32 - 1: the same seed draws the same tokens on the same device. Default 42. */
  readonly seed?: number;
  /** Tokens that end a sequence; they are given out too. Default: those of the model's config; none for []. */
  readonly stop?: readonly number[];
  /** Steps whose tokens are read together, 1 to 16: more wait less often for the device, fewer show tokens sooner. Default 8. */
  readonly stepsPerRead?: number;
}

const GENERATE_OPTIONS = {
  maxTokens: true,
  temperature: true,
  topK: true,
  topP: true,
  seed: true,
  stop: true,
  stepsPerRead: true,
} satisfies Known<GenerateOptions>;

interface Checked {
  readonly maxTokens: number;
  readonly stepsPerRead: number;
  readonly stop: ReadonlySet<number>;
  readonly sampling: Sampling;
}

/** `ModelContext.generate`. */
export async function* generate(
  context: ContextCore,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): AsyncGenerator<(number | undefined)[], void, undefined> {
  const { maxTokens, stepsPerRead, stop, sampling } = checkGenerate(context, prompts, options);
  const before = context.lengths;
  const counts = prompts.map(() => 0);
  const ended = prompts.map(() => false);
  /** What a step chose, of the sequences that go on. */
  const taken = (tokens: readonly number[]) =>
    tokens.map((token, b) => {
      if (ended[b]) return undefined;
      counts[b]!++;
      ended[b] = stop.has(token);
      return token;
    });
  try {
    await context.feed(prompts);
    yield taken(await context.chooseAfterFeed(sampling));
    let given = 1;
    // The first tokens come one by one; then as many are read together as have come so far.
    for (
      let steps = 1;
      given < maxTokens && ended.includes(false);
      steps = Math.min(2 * steps, stepsPerRead)
    ) {
      const count = Math.min(steps, maxTokens - given);
      for (const tokens of await context.chooseNext(count, sampling)) {
        if (!ended.includes(false)) break;
        yield taken(tokens);
        given++;
      }
    }
  } finally {
    forgetRest(context, (b) => before[b]! + prompts[b]!.length + Math.max(0, counts[b]! - 1));
  }
}

/** Takes back what was computed for sequences that had ended, or that nobody asked for any more. */
function forgetRest(context: ContextCore, lengthOf: (sequence: number) => number): void {
  if (!context.isUsable) return;
  for (const [b, length] of context.lengths.entries()) {
    if (length > lengthOf(b)) context.cache.truncate(lengthOf(b), { sequence: b });
  }
}

function checkGenerate(
  context: ContextCore,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Checked {
  context.assertUsable();
  context.sources?.assertRead('generate');
  checkOptions('generate', options, GENERATE_OPTIONS);
  const { maxTokens, temperature = 0, topK = 0, topP = 1, seed = DEFAULT_SEED, stepsPerRead = 8 } = options;
  const { stop = context.model.spec.eos } = options;
  checkTexts('generate', prompts, context.lengths, context);
  checkWhole('generate: maxTokens', maxTokens, 1, 2 ** 24);
  checkFinite('generate: temperature', temperature, 0);
  checkWhole('generate: topK', topK, 0, 2 ** 32 - 1);
  if (!Array.isArray(stop))
    throw new ShapeError(`generate: stop: expected a list of tokens, got ${describe(stop)}`);
  for (const token of stop) checkWhole('generate: stop', token, 0, 2 ** 32 - 1);
  if (typeof topP !== 'number' || !(topP > 0 && topP <= 1)) {
    throw new ShapeError(`generate: topP: expected a number above 0, at most 1, got ${describe(topP)}`);
  }
  checkWhole('generate: seed', seed, 0, 2 ** 32 - 1);
  checkWhole('generate: stepsPerRead', stepsPerRead, 1, MOST_SLOTS);
  const { lengths, capacity } = context;
  for (const [b, prompt] of prompts.entries()) {
    checkList(`generate: prompts[${b}]`, prompt);
    // The last token is given out and not taken in.
    const needed = (lengths[b] ?? 0) + prompt.length + maxTokens - 1;
    if (needed <= capacity) continue;
    throw new ShapeError(
      `generate: sequence ${b}: expected a capacity of at least ${needed}, for ${prompt.length} tokens of the prompt and ${maxTokens} more, got ${capacity}`,
    );
  }
  return { maxTokens, stepsPerRead, stop: new Set(stop), sampling: { temperature, topK, topP, seed } };
}
