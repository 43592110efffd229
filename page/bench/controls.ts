// controls.ts: Start, Stop and Tune, and what is said beside them of a run on its way.
import { byId } from '../shell/dom.ts';
import { TimeLeft } from './timeLeft.ts';
import { progressWords } from './words.ts';

/** What the tab is at, as its document says it. */
export type State = 'idle' | 'running' | 'done' | 'tuned' | 'stopped' | 'error';

const start = byId('start', HTMLButtonElement);
const tune = byId('tune', HTMLButtonElement);
const stop = byId('stop', HTMLButtonElement);
const bar = byId('progress', HTMLProgressElement);

/** A second press of a key that comes sooner was meant for Start, which had the focus. */
const DOUBLE_PRESS_MS = 400;

/** The buttons and the line of progress. */
export class Controls {
  #left: TimeLeft | undefined;
  #startedAt = -Infinity;

  /** What the buttons do. */
  constructor(acts: { readonly start: () => void; readonly tune: () => void; readonly stop: () => void }) {
    start.addEventListener('click', acts.start);
    tune.addEventListener('click', acts.tune);
    stop.addEventListener('click', ({ detail }) => {
      const isKey = detail === 0;
      if (!isKey || performance.now() - this.#startedAt > DOUBLE_PRESS_MS) acts.stop();
    });
    document.addEventListener('visibilitychange', () => this.#showPause());
    byId('to-settings').addEventListener('click', () => byId('set-model').focus());
  }

  /** Whether a run can be started, and a tuning. */
  allow(mayRun: boolean, mayTune: boolean): void {
    start.disabled = !mayRun;
    tune.disabled = !mayTune;
  }

  /** Something runs that is expected to take so long. */
  begin(status: string, expectedMs: number): void {
    this.#left = new TimeLeft(expectedMs, performance.now());
    this.#startedAt = performance.now();
    this.say('running', status);
    stop.disabled = false;
    bar.value = 0;
    // Focus would be lost with the button that was clicked, which is disabled.
    stop.focus({ preventScroll: true });
  }

  /** So much of it is done. */
  progress(text: string, share: number): void {
    const left = this.#left!;
    left.tick(performance.now());
    bar.value = share;
    byId('progress-text').textContent = `${progressWords(text)} · ${left.text(share)}`;
  }

  /** It asks for nothing more than to be over. */
  stopping(): void {
    stop.disabled = true;
    byId('status').textContent = 'Stopping: the sample under way is the last one.';
  }

  /** It has ended. */
  end(state: State, status: string): void {
    const wasOnStop = document.activeElement === stop;
    stop.disabled = true;
    this.say(state, status);
    start.textContent = 'Run again';
    // Where focus was with Stop; not away from what a reader types meanwhile.
    if (wasOnStop || document.activeElement === document.body) start.focus({ preventScroll: true });
  }

  /** Says what the tab is at. */
  say(state: State, status: string): void {
    document.documentElement.dataset.state = state;
    byId('progress-text').textContent = '';
    byId('status').textContent = status;
  }

  #showPause(): void {
    if (document.documentElement.dataset.state !== 'running') return;
    // What a hidden tab waits is no time of the run.
    this.#left!.tick(performance.now(), !document.hidden);
    byId('status').textContent = document.hidden
      ? 'Paused: this tab is hidden. Bring it back and the run goes on.'
      : 'Running. (It paused while this tab was hidden; what was touched is measured again.)';
  }
}
