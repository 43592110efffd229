// live.ts: charts of losses while they come: of the multi-head model, and of what is trained on with the number of KV heads that is shown.
import type { LabLoss } from '../../bench/reproduce/run.ts';
import { plural } from '../../bench/text/format.ts';
import { LiveChart } from '../charts/chart.ts';
import { byId, el } from '../shell/dom.ts';
import { Curves } from './curves.ts';

/** Milliseconds between two drawings at least: drawing shares the processor with what is trained. */
const DRAW_MS = 400;

/** What is drawn. */
export interface LiveOptions {
  /** Steps of the original training. */
  readonly baseSteps: number;
  /** Whether the multi-head model is trained too. */
  readonly withOriginal: boolean;
  readonly kvHeads: readonly number[];
}

/** The charts of one run. */
export class Live {
  readonly #curves: Curves;
  readonly #original: LiveChart | undefined;
  readonly #heldOut: LiveChart;
  readonly #training: LiveChart;
  #shown: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Puts them on the page, empty, in place of those of the run before. */
  constructor({ baseSteps, withOriginal, kvHeads }: LiveOptions) {
    this.#curves = new Curves(baseSteps);
    this.#shown = kvHeads[0]!;
    this.#original = withOriginal ? new LiveChart(this.#curves.originalChart()) : undefined;
    this.#heldOut = new LiveChart(this.#curves.uptrainChart('heldOut', this.#shown));
    this.#training = new LiveChart(this.#curves.uptrainChart('training', this.#shown));
    byId('train-original').replaceChildren(...(this.#original ? [this.#original.element] : []));
    byId('train-curves').replaceChildren(this.#heldOut.element, this.#training.element);
    byId('train-shown').replaceChildren(
      ...(kvHeads.length > 1 ? kvHeads.map((count) => this.#pill(count)) : []),
    );
    byId('train-live').hidden = false;
  }

  add(loss: LabLoss): void {
    this.#curves.add(loss);
    this.#timer ??= setTimeout(() => this.#draw(), DRAW_MS);
  }

  #draw(): void {
    this.#timer = undefined;
    this.#original?.update(this.#curves.originalChart());
    this.#heldOut.update(this.#curves.uptrainChart('heldOut', this.#shown));
    this.#training.update(this.#curves.uptrainChart('training', this.#shown));
  }

  #pill(count: number): HTMLButtonElement {
    const pill = el(
      'button',
      { type: 'button', 'aria-pressed': String(count === this.#shown) },
      plural(count, 'KV head'),
    );
    pill.addEventListener('click', () => {
      this.#shown = count;
      for (const each of byId('train-shown').children)
        each.setAttribute('aria-pressed', String(each === pill));
      this.#draw();
    });
    return pill;
  }
}
