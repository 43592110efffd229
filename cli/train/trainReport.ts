// trainReport.ts: what `gqa train` prints at its end.
import { markdownTable, plural } from '../../bench/text/format.ts';
import type { NodeGpu } from '../../src/node/adapters.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import type { LossPoint, TrainingResult } from './training.ts';

/** A training, ended. */
export interface TrainedModel {
  readonly result: TrainingResult;
  readonly options: TrainerOptions;
  readonly found: Pick<NodeGpu, 'adapterName'>;
  /** Where the text comes from. */
  readonly text: string;
  readonly folder: string;
}

const COLUMNS = [
  { title: 'step', align: 'right' },
  { title: 'training nats/token', align: 'right' },
  { title: 'held-out nats/token', align: 'right' },
] as const;

/** Rows of the table at most. */
const ROWS = 12;

/** A table of losses, and what they are of. */
export function trainText({ result, options, found, text, folder }: TrainedModel): string {
  const { training, heldOut, steps, newSteps, tokensPerSecond } = result;
  const held = new Map(heldOut.map(({ step, loss }) => [step, loss]));
  const shown = new Map(thinned(training, ROWS).map(({ step, loss }) => [step, loss]));
  const all = [...new Set([...held.keys(), ...shown.keys()])].toSorted((a, b) => a - b);
  const cells = all.map((step) => [String(step), fixed(shown.get(step)), fixed(held.get(step))]);
  const left =
    steps > 0 && steps < options.steps
      ? `; ${options.steps - steps} of ${options.steps} steps are left, for --resume with the same --text and --out`
      : '';
  return [
    markdownTable(COLUMNS, cells),
    `${plural(newSteps, 'step')} of ${options.batch} x ${options.context} tokens of ${text}, ${Math.round(tokensPerSecond)} tokens/s on "${found.adapterName}"${left}`,
    steps === 0 ? 'no step was taken, and nothing saved' : `checkpoint in ${folder}`,
    '',
  ].join('\n');
}

/** The same for programs. */
export function trainJson({ result, options, found, text, folder }: TrainedModel): string {
  return `${JSON.stringify({ adapter: found.adapterName, text, folder, options, ...result }, null, 2)}\n`;
}

function fixed(loss: number | undefined): string {
  return loss === undefined ? '' : loss.toFixed(4);
}

/** So many points at most, evenly spread, the last among them. */
function thinned(points: readonly LossPoint[], most: number): LossPoint[] {
  const every = Math.max(1, Math.ceil(points.length / most));
  return points.filter((_, i) => (points.length - 1 - i) % every === 0);
}
