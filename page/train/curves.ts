// curves.ts: losses as they come from a run, and the charts of them: of the multi-head model's training, and of what is trained on. No DOM.
import type { LabLoss, LabTraining } from '../../bench/reproduce/run.ts';
import { plural } from '../../bench/text/format.ts';
import type { Axis, ChartSpec, Point, Series } from '../charts/chart.ts';

/** Points of a curve on the training text at most: its losses are means of the steps between two. */
const POINTS = 40;

const STEPS: Axis = {
  label: 'steps',
  scale: 'linear',
  format: (value) => Math.round(value).toLocaleString('en'),
};
/** Every token of the lab is a character. Losses differ by little of what they are. */
export const NATS: Axis = {
  label: 'nats a character',
  scale: 'linear',
  format: (value) => value.toFixed(2),
  fromZero: false,
};

/** Losses of a training of one seed by the step that they stand at. */
interface Losses {
  readonly training: LabTraining;
  readonly steps: Map<number, { sum: number; count: number }>;
}

/** All losses of a run so far. */
export class Curves {
  readonly #baseSteps: number;
  readonly #losses: Readonly<Record<LabLoss['text'], Map<string, Losses>>> = {
    training: new Map(),
    heldOut: new Map(),
  };

  /** `baseSteps`: those of the original training. */
  constructor(baseSteps: number) {
    this.#baseSteps = baseSteps;
  }

  add({ training, text, step, loss }: LabLoss): void {
    const { seed, kvHeads, method, alpha } = training;
    const key = JSON.stringify([seed, kvHeads, method, alpha]);
    const all = this.#losses[text];
    const losses = all.get(key) ?? { training, steps: new Map() };
    all.set(key, losses);
    const place = text === 'heldOut' ? step : this.#binOf(training, step);
    const { sum = 0, count = 0 } = losses.steps.get(place) ?? {};
    losses.steps.set(place, { sum: sum + loss, count: count + 1 });
  }

  /** The training of the multi-head model from random weights. */
  originalChart(): ChartSpec {
    const of = (text: LabLoss['text']) => this.#points(text, ({ alpha }) => alpha === undefined);
    const series: Series[] = [
      { name: 'training text', kind: 'measured', points: of('training') },
      { name: 'held-out text', kind: 'measured', points: of('heldOut') },
    ];
    return {
      title: 'The multi-head model learns',
      caption: 'Its loss on the text that it is trained on, and on text that it does not see.',
      fileName: 'gqa-lab-multi-head',
      x: STEPS,
      y: NATS,
      series: series.filter(({ points }) => points.length > 0),
    };
  }

  /** What is trained on with so many KV heads, a line for each method, beside the multi-head model trained on as long. */
  uptrainChart(text: LabLoss['text'], kvHeads: number): ChartSpec {
    const control = this.#line(text, 'multi-head, trained on', ({ method }) => method === undefined);
    const methods = new Set(
      [...this.#losses[text].values()].flatMap(({ training }) =>
        training.kvHeads === kvHeads && training.method !== undefined ? [training.method] : [],
      ),
    );
    const lines = [...methods].map((name) =>
      this.#line(text, name, ({ method, kvHeads: heads }) => method === name && heads === kvHeads),
    );
    const series = [...lines, control].filter(({ points }) => points.length > 0);
    const where = text === 'training' ? 'the text trained on' : 'held-out text';
    return {
      title: `${plural(kvHeads, 'KV head')}: loss on ${where}`,
      caption:
        text === 'training'
          ? 'Means of the steps between two points.'
          : 'Step 0 is the conversion alone. The level line is the multi-head model before.',
      fileName: `gqa-lab-kv${kvHeads}-${text === 'training' ? 'training' : 'held-out'}`,
      x: STEPS,
      y: NATS,
      series: text === 'heldOut' ? [...series, ...this.#originalLoss()] : series,
    };
  }

  /** What the multi-head model came to before its conversion. */
  #originalLoss(): Series[] {
    const last = this.#points('heldOut', ({ alpha }) => alpha === undefined).at(-1);
    if (last?.x !== this.#baseSteps) return [];
    return [{ name: 'multi-head, before', kind: 'limit', points: [last] }];
  }

  /** The longest of the trainings that are meant, by their alphas. */
  #line(text: LabLoss['text'], name: string, isMeant: (training: LabTraining) => boolean): Series {
    const meant = [...this.#losses[text].values()].filter(
      ({ training }) => training.alpha !== undefined && isMeant(training),
    );
    const longest = Math.max(...meant.map(({ training }) => training.alpha!));
    const points = this.#points(text, (training) => training.alpha === longest && isMeant(training));
    return { name, kind: 'measured', points };
  }

  /** Means over the seeds that have come to a step, with the least and the most. */
  #points(text: LabLoss['text'], isMeant: (training: LabTraining) => boolean): Point[] {
    const bySteps = new Map<number, number[]>();
    for (const { training, steps } of this.#losses[text].values()) {
      if (!isMeant(training)) continue;
      for (const [step, { sum, count }] of steps)
        bySteps.set(step, [...(bySteps.get(step) ?? []), sum / count]);
    }
    return [...bySteps].toSorted(([a], [b]) => a - b).map(([x, values]) => pointOf(x, values));
  }

  /** The step that a loss on the training text is drawn at: the last of its part of the training. */
  #binOf({ alpha = 1 }: LabTraining, step: number): number {
    const steps = Math.round(alpha * this.#baseSteps);
    const width = Math.max(1, Math.ceil(steps / POINTS));
    return Math.min(steps, Math.ceil(step / width) * width);
  }
}

/** A mean of several seeds, or what a single one came to. */
export function pointOf(x: number, values: readonly number[]): Point {
  const y = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.length === 1 ? { x, y } : { x, y, low: Math.min(...values), high: Math.max(...values) };
}
