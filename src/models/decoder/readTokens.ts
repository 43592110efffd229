// readTokens.ts: tokens and losses as they come back from a device: refused where a logit was not finite.
import { copyOut, type BufferRange } from '../../device/buffers.ts';
import { NotFiniteError } from '../../device/errors.ts';
import type { ContextModel } from './bindContext.ts';

/** Tokens that steps have chosen: [steps] lists of [B]. */
export async function readTokens(
  { device, spec }: ContextModel,
  results: BufferRange,
  steps: number,
  batch: number,
): Promise<number[][]> {
  const tokens = new Uint32Array(await copyOut(device, 'tokens', { ...results, size: steps * batch * 4 }));
  const bad = tokens.findIndex((token) => token >= spec.vocabSize);
  if (bad >= 0) throw new NotFiniteError(`generate: sequence ${bad % batch}: a logit is not finite`);
  return Array.from({ length: steps }, (_, slot) => [...tokens.subarray(slot * batch, (slot + 1) * batch)]);
}

/** Throws NotFiniteError unless a loss is a number. */
export function checkedLoss(loss: number, sequence: number, at: number): number {
  if (Number.isFinite(loss)) return loss;
  throw new NotFiniteError(`losses: sequence ${sequence}, token ${at + 1}: a logit is not finite`);
}
