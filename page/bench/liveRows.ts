// liveRows.ts: one row measured at once, beside multi-head attention, when a reader moves the slider.
import type { BenchRow, CeilingContext } from '../../bench/schema/schema.ts';
import { messageOf } from '../../src/device/errors.ts';
import type { Host } from '../shell/host.ts';
import type { RunRequest } from './protocol.ts';
import { runInWorker } from './runner.ts';
import { whySentence } from './why.ts';

/** For the samples of both rows: enough to see where a point lies, and short enough to play with. */
const MAX_TIME_MS = 1000;

/** Where live rows are shown. */
export interface LiveView {
  /** What is going on, or what came of it. */
  readonly say: (text: string) => void;
  /** The rows of the newest measurement. */
  readonly show: (rows: readonly BenchRow[], ceiling: CeilingContext) => void;
}

/** Measures the number of KV heads that was chosen last; while another job has the GPU it waits. */
export class LiveRows {
  readonly #host: Host;
  readonly #request: () => RunRequest;
  readonly #view: LiveView;
  #wanted: number | undefined;
  #stop: AbortController | undefined;

  /** `request` gives the run that the page is set to, of which one depth and batch are taken. */
  constructor(host: Host, request: () => RunRequest, view: LiveView) {
    this.#host = host;
    this.#request = request;
    this.#view = view;
    host.use.onChange(() => this.#begin());
  }

  /** Measures so many KV heads as soon as the GPU is free; what was being measured for another number is given up. */
  choose(kvHeads: number): void {
    this.#wanted = kvHeads;
    this.#stop?.abort();
    const { job } = this.#host.use;
    if (job !== undefined && this.#stop === undefined)
      this.#view.say(`${job} has the GPU; ${kvHeads} KV heads are measured after it.`);
    this.#begin();
  }

  #begin(): void {
    if (this.#wanted === undefined || this.#host.use.job !== undefined) return;
    const kvHeads = this.#wanted;
    this.#wanted = undefined;
    void this.#measure(kvHeads);
  }

  async #measure(kvHeads: number): Promise<void> {
    const request = liveRequest(this.#request(), kvHeads);
    const stop = (this.#stop = new AbortController());
    const giveBack = this.#host.use.begin('A row of the slider');
    this.#view.say(
      `Measuring ${kvHeads} of ${request.heads} KV heads at ${request.depths[0]!.toLocaleString('en')} tokens …`,
    );
    try {
      const outcome = await runInWorker({ type: 'start', request }, stop.signal, () => {});
      if (outcome.state === 'error') this.#view.say(`Could not be measured: ${outcome.message}`);
      if (outcome.state !== 'done') return;
      const { results, context } = outcome.result;
      const row = results.find(({ params }) => params.kvHeads === kvHeads);
      this.#view.show(results, context.ceiling);
      if (row) this.#view.say(whySentence(results, context.ceiling, row));
    } catch (error) {
      this.#view.say(`Could not be measured: ${messageOf(error)}`);
    } finally {
      this.#stop = undefined;
      giveBack();
    }
  }
}

/** One depth, batch and type of a run: so many KV heads beside multi-head attention, interleaved sample by sample. */
function liveRequest(run: RunRequest, kvHeads: number): RunRequest {
  const { heads, depths, batches, kTypes, vTypes } = run;
  return {
    ...run,
    kvHeads: [...new Set([heads, kvHeads])],
    depths: depths.slice(0, 1),
    batches: batches.slice(0, 1),
    kTypes: kTypes.slice(0, 1),
    vTypes: vTypes.slice(0, 1),
    kernels: ['auto'],
    maxTimeMs: MAX_TIME_MS,
  };
}
