// tab.ts: the tab that compares MHA, GQA and MQA: shows what would run on what, runs it at a click, and shows what came of it.
import { isSoftware } from '../../src/index.ts';
import { version } from '../../package.json';
import { rowGroups } from '../../bench/run/rows.ts';
import type { BenchEvent } from '../../bench/run/run.ts';
import type { BenchResult, BenchRow, CeilingContext, RowParams } from '../../bench/schema/schema.ts';
import { workloadsAt } from '../../bench/tune/tune.ts';
import { Sharing } from '../share/sharing.ts';
import { describeBrowser } from '../shell/browser.ts';
import type { GpuUse } from '../shell/gpuUse.ts';
import type { Host } from '../shell/host.ts';
import { showCards, showMeasuredTimer } from './cards.ts';
import { byId } from '../shell/dom.ts';
import { LiveRows } from './liveRows.ts';
import { rememberLabel } from './label.ts';
import { outcomeNotices, startNotices } from './notices.ts';
import { HeadPicture, type PictureShape } from '../picture/headPicture.ts';
import { kvHeadChoices } from '../picture/sharing.ts';
import type { RunRequest, TuneRequest } from './protocol.ts';
import { runInWorker, type Outcome } from './runner.ts';
import { readSettings, type PageSettings, type RunSettings } from './settings.ts';
import { depthSections, resultSections, type Shown } from './tables.ts';
import { rememberedTuning, rememberTuning, TUNING_SOURCE } from './tuning.ts';
import { leadText, methodText, runEnd, tuningEnd } from './words.ts';

declare global {
  /** The result of the last run that came to its end. */
  var gqaResult: BenchResult | undefined;
}

type State = 'idle' | 'running' | Outcome['state'];

const startButton = byId('start', HTMLButtonElement);
const tuneButton = byId('tune', HTMLButtonElement);
const stopButton = byId('stop', HTMLButtonElement);
const labelInput = byId('label', HTMLInputElement);
const progressBar = byId('progress', HTMLProgressElement);

let stop = new AbortController();
/** Whether there is something to run, and an adapter to run it on. */
let isReady = false;
let use: GpuUse;
let sharing: Sharing;

function allowRuns(): void {
  for (const button of [startButton, tuneButton]) button.disabled = !isReady || use.job !== undefined;
}

function setState(state: State, status: string): void {
  document.documentElement.dataset.state = state;
  const running = state === 'running';
  startButton.hidden = running;
  tuneButton.hidden = running;
  stopButton.hidden = !running;
  labelInput.disabled = running;
  progressBar.hidden = !running;
  byId('progress-text').textContent = '';
  byId('status').textContent = status;
}

function showMethod(run: RunSettings): void {
  byId('lead').textContent = leadText(run);
  byId('method').textContent = methodText(run);
}

function showRows(shown: Shown): void {
  byId('results').replaceChildren(...depthSections(shown));
}

function request(settings: PageSettings): RunRequest {
  const label = labelInput.value.trim();
  const context = {
    version,
    runtime: describeBrowser(navigator.userAgent),
    ...(label && { label }),
    nonStandard: Object.fromEntries(settings.changes.map(({ param, value }) => [param, value])),
    crossOriginIsolated: globalThis.crossOriginIsolated,
  };
  return { ...settings.run, tuning: rememberedTuning().tuning, tuningSource: TUNING_SOURCE, context };
}

/** The classes of shapes that the rows fall in, each at all depths of the run. */
function tuneRequest({ run }: PageSettings): TuneRequest {
  const { model, heads, headDim, batches, kTypes, vTypes, kvHeads, depths, seed } = run;
  const classes = batches.flatMap((batch) =>
    kTypes.flatMap((kType, i) =>
      kvHeads.map((kv) => {
        const vType = vTypes[i] ?? kType;
        return workloadsAt({ model, heads, kvHeads: kv, headDim, batch, kType, vType }, depths);
      }),
    ),
  );
  return { classes, seed };
}

/** One run, from the click to the outcome on the page. */
async function runOnce(settings: PageSettings, groups: readonly (readonly RowParams[])[]): Promise<void> {
  const rows: BenchRow[] = [];
  let ceiling: CeilingContext | undefined;
  const drawRows = () => showRows({ groups, rows, ceiling });
  stop = new AbortController();
  globalThis.gqaResult = undefined;
  sharing.show(undefined);
  byId('outcome').replaceChildren();
  drawRows();
  progressBar.value = 0;
  setState('running', 'Running.');
  // Focus would be lost with the button that was clicked.
  stopButton.focus({ preventScroll: true });
  const job = { type: 'start', request: request(settings) } as const;
  const giveBack = use.begin('The benchmark');
  const outcome = await runInWorker(job, stop.signal, (event) => {
    if (event.type === 'progress') return showProgress(event);
    if (event.type === 'row') rows.push(event.row);
    else ceiling = event.ceiling;
    drawRows();
  });
  giveBack();
  // Of a run that failed too, with the rows that it finished.
  const result = 'result' in outcome ? outcome.result : undefined;
  if (result) {
    globalThis.gqaResult = result;
    showMeasuredTimer(result);
    sharing.show(result);
  }
  byId('outcome').replaceChildren(...outcomeNotices(outcome));
  setState(outcome.state, runEnd(outcome, rows, groups.flat().length));
  startButton.textContent = 'Run again';
  startButton.focus({ preventScroll: true });
}

/** Finds the fastest variants for the rows and remembers them in this browser; runs use them from then on. */
async function tuneOnce(settings: PageSettings): Promise<void> {
  stop = new AbortController();
  byId('outcome').replaceChildren();
  progressBar.value = 0;
  setState('running', 'Tuning: every variant is checked, then timed against the best so far.');
  stopButton.focus({ preventScroll: true });
  const giveBack = use.begin('The tuning');
  const outcome = await runInWorker(
    { type: 'tune', request: tuneRequest(settings) },
    stop.signal,
    (event) => event.type === 'progress' && showProgress(event),
  );
  giveBack();
  const kept = outcome.state === 'tuned' && rememberTuning(outcome.found);
  byId('outcome').replaceChildren(...outcomeNotices(outcome));
  setState(outcome.state, tuningEnd(outcome, kept));
  startButton.focus({ preventScroll: true });
}

function showProgress({ text, done, total }: Extract<BenchEvent, { type: 'progress' }>): void {
  progressBar.max = total;
  progressBar.value = done;
  byId('progress-text').textContent = `${done + 1} of ${total}: ${text}`;
}

function showPause(): void {
  if (document.documentElement.dataset.state !== 'running') return;
  byId('status').textContent = document.hidden
    ? 'Paused: this tab is hidden. Bring it back and the run goes on.'
    : 'Running. (It paused while this tab was hidden; what was touched is measured again.)';
}

/** Makes the tab work; it is on the page from the start. */
export async function openBench(host: Host): Promise<void> {
  rememberLabel(labelInput);
  sharing = new Sharing(host, resultSections);
  void sharing.listen();
  use = host.use;
  use.onChange(allowRuns);
  const gpu = await host.gpu;
  const adapter = gpu.kind === 'adapter' ? gpu.adapter : undefined;
  const settings = readSettings(location.search, adapter !== undefined && isSoftware(adapter.info));
  showCards(adapter);
  byId('notices').replaceChildren(...startNotices(gpu, settings, rememberedTuning().fault));
  showMethod(settings.run);
  const live = new LiveRows(host, () => request(settings), {
    say: (text) => (byId('live-status').textContent = text),
    show: (rows, ceiling) => showRows({ groups: [rows.map(({ params }) => params)], rows, ceiling }),
  });
  new HeadPicture(byId('picture'), pictureShape(settings.run), (kvHeads) => live.choose(kvHeads));
  if (settings.errors.length > 0) return setState('error', 'Nothing can run; see above.');
  const groups = rowGroups(settings.run);
  showRows({ groups, rows: [], ceiling: undefined });
  if (!adapter) return setState('error', 'Nothing can run; see above.');
  isReady = true;
  allowRuns();
  const start = () => void runOnce(settings, groups);
  startButton.addEventListener('click', start);
  tuneButton.addEventListener('click', () => void tuneOnce(settings));
  stopButton.addEventListener('click', () => stop.abort());
  document.addEventListener('visibilitychange', showPause);
  setState('idle', '');
  if (settings.autostart) start();
}

/** The heads to draw: grouped ones as the model has them, or as many as half of the choices. */
function pictureShape({ heads, kvHeads }: RunSettings): PictureShape {
  const between = kvHeads.find((each) => each > 1 && each < heads);
  const choices = kvHeadChoices(heads);
  return { heads, grouped: between ?? choices[Math.floor(choices.length / 2)]! };
}
