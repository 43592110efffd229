// cacheCommand.ts: a call of a KV cache or its decoders, and that it leaves all as the model says, whether it was done or refused.
import type fc from 'fast-check';
import type { CacheModel } from './cacheModel.ts';
import { expectState } from './cacheState.ts';
import type { RealCache } from './realCache.ts';

export type Command = fc.AsyncCommand<CacheModel, RealCache>;

/** A command after which the lengths, rows and pages of the cache must be the model's. */
export function command(
  text: string,
  run: (model: CacheModel, real: RealCache) => Promise<unknown>,
  check: (model: CacheModel) => boolean = () => true,
): Command {
  return {
    toString: () => text,
    check: (model) => check(model),
    run: async (model, real) => {
      await run(model, real);
      await expectState(model, real);
    },
  };
}
