// words.ts: what the lab says of runs, models and texts. No DOM.
import type { LabTraining } from '../../bench/reproduce/run.ts';
import { formatBytes, formatSignificant, plural } from '../../bench/text/format.ts';
import type { ReproduceResult } from '../../bench/schema/reproduceSchema.ts';
import type { TrainingSize } from '../../src/train/sizes.ts';
import type { SizePlan } from './plan.ts';

/** A model of a size: "2 layers of 64, 4 heads". */
export function modelText({ layers, dim, heads }: TrainingSize): string {
  return `${plural(layers, 'layer')} of ${dim}, ${plural(heads, 'head')}`;
}

/** Its training: "400 steps of 16 × 64 characters". */
export function trainingText({
  steps,
  batch,
  context,
}: Pick<TrainingSize, 'steps' | 'batch' | 'context'>): string {
  return `${steps.toLocaleString('en')} steps of ${batch} × ${context} characters`;
}

/** Memory on the GPU, or why it cannot be had. */
export function memoryText({ memory }: SizePlan): string {
  return typeof memory === 'number' ? shortBytes(memory) : memory.fault;
}

/** Bytes to three digits. */
function shortBytes(bytes: number): string {
  const [value, unit] = formatBytes(bytes).split(' ') as [string, string];
  return `${formatSignificant(Number(value), 3).replace(/\.0+$/, '')} ${unit}`;
}

/** What a whole run takes. */
export function takesText(plan: SizePlan, steps: number, { batch, context }: TrainingSize): string {
  const tokens = `${steps.toLocaleString('en')} steps of ${batch} × ${context} characters in all`;
  if (typeof plan.memory !== 'number') return `This device has no room for it: ${plan.memory.fault}`;
  return `${plan.parameters.toLocaleString('en')} parameters, ${tokens}, ${shortBytes(plan.memory)} of GPU memory.`;
}

/** How long the rest of a run will take, to what it is known. */
export function leftText(ms: number | undefined): string {
  if (ms === undefined) return '';
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `about ${Math.max(1, seconds)} s left`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `about ${minutes} min left` : `about ${formatSignificant(minutes / 60, 2)} h left`;
}

/** Which model wrote a text: "2 KV heads, mean". */
export function writerText({ kvHeads, method }: LabTraining): string {
  return method === undefined ? 'Multi-head' : `${plural(kvHeads, 'KV head')}, ${method}`;
}

/** When it wrote it. */
export function whenText({ method, alpha }: LabTraining): string {
  if (alpha === undefined) return 'before any conversion';
  if (alpha === 0) return 'right after the conversion';
  const share = `${Number((100 * alpha).toFixed(2))} % of the steps`;
  return method === undefined ? `trained on for ${share}` : `uptrained for ${share}`;
}

/** What a result is of. */
export function resultText({ params, runs }: ReproduceResult, adapter: string): string {
  const { size, steps, batch, context, text } = params;
  const seeds = runs.map(({ seed }) => seed).join(', ');
  return `Size ${size}, ${trainingText({ steps, batch, context })}, ${text}; seeds ${seeds}; on ${adapter}.`;
}

/** How a failed run is announced, by the code of its error. */
export function failureTitle(code: string): string {
  if (code === 'device-lost') return 'The GPU device was lost. What was finished stays below.';
  if (code === 'diverged')
    return 'The training diverged: a loss was no number. What was finished stays below.';
  if (code === 'limit-exceeded' || code === 'out-of-memory' || code === 'gpu')
    return 'This device has no room for the run.';
  return 'The run was not finished.';
}

/** How models, losses and figures come about. */
export const METHOD = [
  'The multi-head model is trained, or taken as it is; its KV heads are merged by each method, and every result is trained on for a share alpha of the original steps, with a learning rate of its own that rises and falls in that time.',
  'The control is the multi-head model trained on for as many steps: what more training alone gives.',
  'Losses are in nats a character, lower is better; held-out text is a tenth of the text, from its end, that no step sees.',
  'The same seed gives the same losses on the same device. Texts begin with the same prompt and draw by the same seed.',
].join(' ');
