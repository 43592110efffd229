// modelStep.ts: the numbers of a pass through a model, packed by the field names of their shader (shaders/lib/model/model_step.wgsl).
import modelStep from '../../../shaders/lib/model/model_step.wgsl?raw';
import { structLayout } from '../../device/structs.ts';

export const MODEL_STEP = modelStep;

const LAYOUT = structLayout(modelStep, 'ModelStep', {
  rows: 'u32',
  slot: 'u32',
  top_k: 'u32',
  seed: 'u32',
  temperature: 'f32',
  top_p: 'f32',
});

/** How a token is drawn. */
export interface Sampling {
  /** Logits are divided by it; 0 takes the greatest. */
  readonly temperature: number;
  /** Tokens to choose from, the likeliest; 0 for all. */
  readonly topK: number;
  /** Share of their probability to choose from, the likeliest. */
  readonly topP: number;
  /** u32 */
  readonly seed: number;
}

/** u32 words of the `step` binding of passes of at most so many rows. */
export function modelStepWords(rows: number): number {
  return LAYOUT.words + rows;
}

/** Writes the numbers of a pass: `positions` of its rows, [rows]. */
export function setModelStep(
  words: Uint32Array<ArrayBuffer>,
  positions: ArrayLike<number>,
  rows: number,
  { slot, sampling }: { readonly slot?: number; readonly sampling?: Sampling } = {},
): number {
  const { word } = LAYOUT;
  const floats = new Float32Array(words.buffer);
  words[word.rows] = rows;
  words[word.slot] = slot ?? 0;
  words[word.top_k] = sampling?.topK ?? 0;
  words[word.seed] = sampling?.seed ?? 0;
  floats[word.temperature] = sampling?.temperature ?? 0;
  floats[word.top_p] = sampling?.topP ?? 1;
  for (let row = 0; row < rows; row++) words[LAYOUT.words + row] = positions[row]!;
  return LAYOUT.words + rows;
}
