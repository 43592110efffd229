// passSizes.ts: how many tokens a pass takes, and of how many the logits are computed at once; pure.
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import type { PassSizes } from './activations.ts';
import { stridesOf } from './activations.ts';
import type { ModelSpec } from './spec.ts';

/** Tokens of a pass where the caller does not say. */
const CHUNK = 128;

/** Most bytes of logits that are computed at once, where the device would allow more. */
const LOGIT_BYTES = 64 * 2 ** 20;

/** The sizes of passes. */
export function passSizes(
  spec: ModelSpec,
  {
    batch,
    capacity,
    sourceCapacity,
    chunk = CHUNK,
  }: {
    readonly batch: number;
    readonly capacity: number;
    readonly sourceCapacity: number;
    readonly chunk: number | undefined;
  },
  { maxBindingBytes }: Pick<DeviceFacts, 'maxBindingBytes'>,
): PassSizes {
  const rows = Math.max(batch, Math.min(chunk, batch * capacity));
  const fit = Math.floor(Math.min(LOGIT_BYTES, maxBindingBytes) / (stridesOf(spec).logits * 4));
  // Rows of a buffer come in eights.
  const logitRows = Math.max(batch, Math.min(rows, Math.max(8, Math.floor(fit / 8) * 8)));
  // A source goes through the encoder whole; several go together where a chunk has room for them.
  const sourceRows = Math.max(sourceCapacity, Math.min(chunk, batch * sourceCapacity));
  return { rows, logitRows, sourceRows };
}
