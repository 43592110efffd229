// tab.ts: the tab that compares MHA, GQA and MQA: shows what would run on what, runs it at a click, and shows what came of it.
import { isSoftware } from '../../src/index.ts';
import { rowGroups } from '../../bench/run/rows.ts';
import type { BenchRow, CeilingContext } from '../../bench/schema/schema.ts';
import { showHeadPicture, type PictureShape } from '../picture/headPicture.ts';
import { kvHeadChoices } from '../picture/sharing.ts';
import { Sharing } from '../share/sharing.ts';
import { byId } from '../shell/dom.ts';
import { helpNotice } from '../shell/help.ts';
import type { Gpu } from '../shell/browser.ts';
import type { Host } from '../shell/host.ts';
import { answerView } from './answerView.ts';
import { chartsView } from './chartsView.ts';
import { showCards, showMeasuredTimer } from './cards.ts';
import { Controls } from './controls.ts';
import { expectedMs } from './efforts.ts';
import { limitsOf, type Place } from './fits.ts';
import { SettingsForm } from './form.ts';
import { rememberLabel } from './label.ts';
import { LiveRows } from './liveRows.ts';
import { outcomeNotices, startNotices } from './notices.ts';
import type { RunSettings } from './params.ts';
import type { RunRequest } from './protocol.ts';
import { runRequest, tuneRequest } from './requests.ts';
import { Results, type Shown } from './results.ts';
import { runInWorker } from './runner.ts';
import { markRow, markRun, unfinishedRun, unmarkRun } from './sentinel.ts';
import { resultSections, tablesView } from './tables.ts';
import { forgetTuning, rememberedTuning, rememberTuning } from './tuning.ts';
import { methodText, planText, readyText, runEnd, tuningEnd, unfinishedText } from './words.ts';

/** A browser that has not named an adapter by then is said to keep the page waiting. */
const PATIENCE_MS = 4000;

/** Makes the tab work; it is on the page from the start. */
export async function openBench(host: Host): Promise<void> {
  const label = byId('label', HTMLInputElement);
  rememberLabel(label);
  const sharing = new Sharing(host, resultSections);
  void sharing.listen();
  const waiting = setTimeout(() => {
    byId('status').textContent =
      'The browser has not named a GPU yet. This page goes on when it does; restarting the browser often helps.';
  }, PATIENCE_MS);
  const gpu = await host.gpu;
  clearTimeout(waiting);
  new Compare(host, gpu, { label, sharing }).open((await unfinishedRun()) ?? '');
}

/** What works before it is known what the tab runs on. */
interface Parts {
  readonly label: HTMLInputElement;
  readonly sharing: Sharing;
}

/** The tab, once it is known what it runs on. */
class Compare {
  readonly #host: Host;
  readonly #gpu: Gpu;
  readonly #place: Place;
  readonly #form: SettingsForm;
  readonly #results: Results;
  readonly #controls: Controls;
  readonly #label: HTMLInputElement;
  readonly #live: LiveRows;
  #stop = new AbortController();
  #heads = '';
  #groups: Shown['groups'] = [];

  constructor(host: Host, gpu: Gpu, { label, sharing }: Parts) {
    this.#host = host;
    this.#gpu = gpu;
    this.#label = label;
    const adapter = gpu.kind === 'adapter' ? gpu.adapter : undefined;
    this.#place = placeOf(adapter);
    showCards(adapter);
    const draws = [
      answerView(this.#place),
      ...(adapter ? [chartsView(this.#place)] : []),
      tablesView(this.#place.limits),
      ({ result }: Shown) => sharing.show(result),
    ];
    // Where nothing can run, what to do about it stands in place of charts, in sight at once.
    if (gpu.kind === 'none') byId('charts').replaceChildren(helpNotice(gpu.why));
    this.#results = new Results(draws, label);
    this.#form = new SettingsForm(this.#place.software, () => this.#showSettings());
    this.#controls = new Controls({
      start: () => void this.#run(),
      tune: () => void this.#tune(),
      stop: () => {
        this.#controls.stopping();
        this.#stop.abort();
      },
    });
    host.use.onChange(() => this.#allow());
    this.#live = new LiveRows(host, () => this.#liveRequest(), {
      say: (text) => (byId('live-status').textContent = text),
      show: (rows, ceiling) => this.#results.aside(rows, ceiling),
    });
  }

  /** Shows what would run, and runs it where the address says so. `unfinished` is where the last run ended with its tab. */
  open(unfinished: string): void {
    const { label, autostart } = this.#form.settings;
    if (label !== undefined) this.#label.value = label;
    this.#showSettings();
    if (!this.#isReady()) return;
    if (unfinished !== '') this.#controls.say('idle', unfinishedText(unfinished));
    if (autostart) void this.#run();
  }

  #isReady(): boolean {
    return this.#gpu.kind === 'adapter' && this.#form.settings.faults.length === 0;
  }

  #allow(): void {
    const busy = this.#host.use.job !== undefined;
    const mayRun = this.#isReady() && !busy;
    // What is tuned are decode steps of equal sequences.
    const { depths, requests } = this.#form.settings.run;
    this.#controls.allow(mayRun, mayRun && depths.length > 0 && requests === undefined);
    this.#form.disabled = busy;
  }

  #showSettings(): void {
    const { settings } = this.#form;
    const { run, faults } = settings;
    byId('notices').replaceChildren(
      ...startNotices(this.#gpu, settings, rememberedTuning().fault, () => {
        forgetTuning();
        this.#showSettings();
      }),
    );
    byId('method').textContent = methodText(run);
    this.#allow();
    if (faults.length === 0) {
      this.#groups = rowGroups(run);
      byId('plan').textContent = planText(run, this.#place);
      this.#results.plan(this.#groups);
    }
    this.#showPicture(run);
    this.#controls.say(...readyText(this.#gpu, faults.length > 0));
  }

  /** The picture of the heads that settings have; the same ones stay as a reader has set them. */
  #showPicture(run: RunSettings): void {
    const shape = pictureShape(run);
    const heads = JSON.stringify(shape);
    if (heads === this.#heads) return;
    this.#heads = heads;
    showHeadPicture(byId('picture'), shape, (kvHeads) => this.#live.choose(kvHeads));
  }

  #liveRequest(): RunRequest {
    const { ceiling } = this.#results;
    return { ...runRequest(this.#form.settings), ...(ceiling && { ceiling }) };
  }

  /** One run, from the click to the outcome on the page. */
  async #run(): Promise<void> {
    if (this.#host.use.job !== undefined) return;
    const { settings } = this.#form;
    const groups = this.#groups;
    const rows: BenchRow[] = [];
    let ceiling: CeilingContext | undefined;
    let soFar: Shown['soFar'] = [];
    const draw = () => this.#results.live({ groups, rows, soFar, ceiling });
    const hadEarlier = globalThis.gqaResult !== undefined;
    this.#stop = new AbortController();
    const giveBack = this.#host.use.begin('The benchmark');
    markRun();
    byId('outcome').replaceChildren();
    draw();
    this.#controls.begin('Running.', expectedMs(settings.run, this.#place));
    const job = { type: 'start', request: runRequest(settings) } as const;
    const outcome = await runInWorker(job, this.#stop.signal, (event) => {
      if (event.type === 'ceiling') ceiling = event.ceiling;
      if (event.type === 'row') rows.push(event.row);
      if (event.type === 'progress') {
        this.#controls.progress(event.text, event.share);
        if (event.soFar.length > 0 || event.text.startsWith('preparing')) soFar = event.soFar;
        markRow(event.text);
      }
      draw();
    });
    unmarkRun();
    giveBack();
    const result = 'result' in outcome ? outcome.result : undefined;
    if (result) showMeasuredTimer(result);
    this.#results.finish(result, groups);
    byId('outcome').replaceChildren(...outcomeNotices(outcome));
    this.#controls.end(outcome.state, runEnd(outcome, groups.flat().length, hadEarlier));
  }

  /** Finds the fastest variants for the rows and remembers them in this browser; runs use them from then on. */
  async #tune(): Promise<void> {
    if (this.#host.use.job !== undefined) return;
    const { settings } = this.#form;
    this.#stop = new AbortController();
    const giveBack = this.#host.use.begin('The tuning');
    byId('outcome').replaceChildren();
    const job = { type: 'tune', request: tuneRequest(settings) } as const;
    this.#controls.begin(
      'Tuning: every variant is checked, then timed against the best so far.',
      job.request.classes.length * TUNING_MS,
    );
    const outcome = await runInWorker(job, this.#stop.signal, (event) => {
      if (event.type === 'progress') this.#controls.progress(event.text, event.share);
    });
    giveBack();
    const kept = outcome.state === 'tuned' && rememberTuning(outcome.found);
    this.#showSettings();
    byId('outcome').replaceChildren(...outcomeNotices(outcome));
    this.#controls.end(outcome.state, tuningEnd(outcome, kept));
  }
}

/** Of one class of shapes, on a GPU; longer where shaders compile slowly. */
const TUNING_MS = 20_000;

/** What an adapter says of itself before it is opened; without one everything fits, and nothing runs. */
function placeOf(adapter: GPUAdapter | undefined): Place {
  if (!adapter) return { software: false, limits: { maxBindingBytes: Infinity, maxBufferBytes: Infinity } };
  return { software: isSoftware(adapter.info), limits: limitsOf(adapter.limits) };
}

/** The heads to draw: grouped ones as the model has them, or as many as half of the choices. */
function pictureShape({ heads, kvHeads }: RunSettings): PictureShape {
  const between = kvHeads.find((each) => each > 1 && each < heads && heads % each === 0);
  const choices = kvHeadChoices(heads);
  return { heads, grouped: between ?? choices[Math.floor(choices.length / 2)]! };
}
