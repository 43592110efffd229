// uptrainReport.ts: what `gqa uptrain` prints at its end: losses before, during and after, beside those of the original.
import { markdownTable, plural } from '../../bench/text/format.ts';
import type { Method } from '../../src/checkpoint/convert/plan.ts';
import type { NodeGpu } from '../../src/node/adapters.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import type { TrainingResult } from './training.ts';

/** An uptraining, ended. */
export interface Uptrained {
  readonly result: TrainingResult;
  readonly run: {
    readonly kvHeads: number;
    readonly method: Method;
    readonly alpha: number;
    readonly baseSteps: number;
    readonly distill: boolean;
    readonly options: TrainerOptions;
  };
  readonly found: Pick<NodeGpu, 'adapterName'>;
  readonly text: string;
  readonly folder: string;
  /** Losses on the held-out text: of the original, and of the original trained on for as many steps. */
  readonly original: number;
  readonly control: number | undefined;
}

const COLUMNS = [
  { title: 'model', align: 'left' },
  { title: 'steps', align: 'right' },
  { title: 'held-out nats/token', align: 'right' },
  { title: 'to the original', align: 'right' },
] as const;

/** A table of losses, and what they are of. */
export function uptrainText({ result, run, found, text, folder, original, control }: Uptrained): string {
  const { heldOut, steps, tokensPerSecond } = result;
  const { batch, context, steps: all } = run.options;
  const name = `${plural(run.kvHeads, 'KV head')} (${run.method}${run.distill ? ', distilled' : ''})`;
  const cells = [
    ['original', '0', original],
    ...heldOut.map(({ step, loss }) => [name, String(step), loss] as const),
    ...(control === undefined ? [] : [['original, trained on', String(all), control] as const]),
  ] as const;
  const left =
    steps > 0 && steps < all
      ? `; ${all - steps} of ${all} steps are left, for --resume with the same --text and --out`
      : '';
  return [
    markdownTable(
      COLUMNS,
      cells.map(([model, step, loss]) => [model, step, loss.toFixed(4), signed(loss - original)]),
    ),
    `alpha ${run.alpha} of ${run.baseSteps} steps, ${batch} x ${context} tokens each of ${text}, ${Math.round(tokensPerSecond)} tokens/s on "${found.adapterName}"${left}`,
    steps === 0 ? 'no step was taken, and nothing saved' : `checkpoint in ${folder}`,
    '',
  ].join('\n');
}

/** The same for programs. */
export function uptrainJson({ found, run, text, folder, original, control, result }: Uptrained): string {
  const { options, ...conversion } = run;
  const value = {
    adapter: found.adapterName,
    text,
    folder,
    ...conversion,
    options,
    original,
    control: control ?? null,
    ...result,
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

function signed(difference: number): string {
  return `${difference < 0 ? '-' : '+'}${Math.abs(difference).toFixed(4)}`;
}
