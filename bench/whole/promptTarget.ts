// promptTarget.ts: a model with an empty context, ready to have prompts recorded again and again, up to the choice of the next tokens.
import { ShapeError } from '../../src/index.ts';
import { cutIntoPasses } from '../../src/models/decoder/chunks.ts';
import type { ContextCore } from '../../src/models/decoder/contextCore.ts';
import type { Model } from '../../src/models/decoder/model.ts';
import { uniform } from '../../src/numbers/random.ts';
import type { Recorder } from '../run/sampling.ts';
import type { WholeParams } from '../schema/wholeSchema.ts';
import { GREEDY, openCore, weightBytes } from './wholeTarget.ts';

/** Prompts of a batch that can be recorded. The cache is empty behind them, as before. */
export class PromptTarget {
  readonly core: ContextCore;
  readonly whole: Recorder;
  /** Of all passes of the prompts: each reads the weights of the layers again. The head's are read once. */
  readonly weightBytes: number;
  /** Of K and V that the prompts leave in the cache. */
  readonly kvBytes: number;

  private constructor(core: ContextCore, prompt: number, seed: number) {
    this.core = core;
    const tokens = promptTokens(core, prompt, seed);
    const chunks = [...cutIntoPasses(tokens, core.lengths, core.passRows)];
    // As `feed` has them: a submission for each.
    const passes = chunks.map((rows, i) => (pass: GPUComputePassEncoder) => {
      const isLast = i === chunks.length - 1;
      core.recordPrompt(pass, rows, isLast ? GREEDY : undefined);
      if (isLast) core.cache.truncate(0);
    });
    this.whole = { record: (pass) => passes.forEach((record) => record(pass)), passes };
    const { projections, mlp, head } = weightBytes(core.model.weights);
    this.weightBytes = chunks.length * (projections + mlp) + head;
    const perToken = core.cache.layout.perLayer.reduce((sum, { bytesPerToken }) => sum + bytesPerToken, 0);
    this.kvBytes = core.batch * prompt * perToken;
  }

  /** Allocates a context for such prompts. Throws ShapeError for a model with an encoder, which reads what would be its prompt. */
  static async create(
    model: Model,
    { batch, kType, vType }: Pick<WholeParams, 'batch' | 'kType' | 'vType'>,
    prompt: number,
    seed: number,
  ): Promise<PromptTarget> {
    const { encoder, type } = model.spec;
    if (encoder)
      throw new ShapeError(`prompts: expected a model without an encoder, got one of type ${type}`);
    const core = await openCore(model, { batch, capacity: prompt, kType, vType });
    return new PromptTarget(core, prompt, seed);
  }

  destroy(): void {
    this.core.destroy();
  }
}

/** Random prompts, [B] lists, such that all passes hold the same tokens: they are recorded before the first is submitted. */
export function promptTokens(
  { batch, vocabSize, passRows }: Pick<ContextCore, 'batch' | 'vocabSize' | 'passRows'>,
  prompt: number,
  seed: number,
): number[][] {
  const next = uniform(seed);
  const ofPass = Array.from({ length: passRows }, () => Math.floor(next() * vocabSize));
  return Array.from({ length: batch }, (_, b) =>
    Array.from({ length: prompt }, (__, i) => ofPass[(b * prompt + i) % passRows]!),
  );
}
