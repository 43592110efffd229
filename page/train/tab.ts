// tab.ts: the lab: trains a small model, converts it and trains it on, with losses, texts and the paper's figures as they come.
import { messageOf } from '../../src/device/errors.ts';
import { byId, el } from '../shell/dom.ts';
import '../shell/forms.css';
import type { Host } from '../shell/host.ts';
import { notice } from '../shell/notice.ts';
import { storiesFiles } from '../shell/stories.ts';
import { copyText } from '../shell/takeAway.ts';
import { startLab, type LabOutcome, type LabRun } from './labRunner.ts';
import { Live } from './live.ts';
import { factsOfAdapter } from './plan.ts';
import type { LabEvent, LabRequest } from './protocol.ts';
import { Results } from './results.ts';
import { Setup } from './setup.ts';
import html from './tab.html?raw';
import { Texts } from './texts.ts';
import './train.css';
import { failureTitle, leftText, METHOD } from './words.ts';

type State = 'loading' | 'idle' | 'running' | 'paused' | 'done' | 'stopped' | 'error';

/** What has the GPU, in messages of other tabs. */
const JOB = 'The training lab';

/** Fills the tab and makes it work. */
export function openTab(root: HTMLElement, host: Host): void {
  root.innerHTML = html;
  void new LabPanel(root, host).open();
}

class LabPanel {
  readonly #root: HTMLElement;
  readonly #host: Host;
  readonly #start = byId('train-start', HTMLButtonElement);
  readonly #pause = byId('train-pause', HTMLButtonElement);
  readonly #stopButton = byId('train-stop', HTMLButtonElement);
  readonly #results = new Results();
  #setup: Setup | undefined;
  #run: LabRun | undefined;
  #stop: AbortController | undefined;
  #isPaused = false;

  constructor(root: HTMLElement, host: Host) {
    this.#root = root;
    this.#host = host;
  }

  /** Loads what the tab begins with. */
  async open(): Promise<void> {
    this.#set('loading', '');
    this.#start.disabled = true;
    byId('train-method').textContent = METHOD;
    const gpu = await this.#host.gpu;
    if (gpu.kind === 'none')
      return this.#tell('The lab cannot run here: there is no GPU adapter. The first tab says more.');
    try {
      this.#setup = await Setup.open(factsOfAdapter(gpu.adapter), await storiesFiles());
    } catch (error) {
      return this.#tell('The lab could not be loaded.', messageOf(error));
    }
    this.#setup.listen();
    this.#listen();
    this.#start.disabled = false;
    this.#set('idle', '');
  }

  #listen(): void {
    this.#results.listen();
    byId('train-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#train();
    });
    this.#pause.addEventListener('click', () => this.#setPaused(!this.#isPaused));
    this.#stopButton.addEventListener('click', () => this.#stop?.abort());
    document.addEventListener('visibilitychange', () => this.#run && this.#showRunning());
    byId('train-copy-command').addEventListener('click', async () => {
      const isCopied = await copyText(byId('train-command').textContent);
      byId('train-command-copied').textContent = isCopied ? 'Copied.' : 'This browser did not allow it.';
    });
  }

  /** One run, from the click to its end. */
  async #train(): Promise<void> {
    const { job } = this.#host.use;
    if (job !== undefined) return this.#tell(`${job} is running on the GPU; stop it first.`);
    const request = this.#setup!.request();
    if (!request) return byId('train-text-fault').scrollIntoView({ block: 'center' });
    byId('train-notices').replaceChildren();
    const draw = this.#drawing(request);
    const stop = (this.#stop = new AbortController());
    const giveBack = this.#host.use.begin(JOB);
    this.#isPaused = false;
    this.#run = startLab(request, stop.signal, draw);
    this.#showRunning();
    // Focus would be lost with the button that was clicked.
    this.#pause.focus({ preventScroll: true });
    byId('train-status').scrollIntoView({ block: 'start' });
    const outcome = await this.#run.outcome;
    giveBack();
    this.#run = undefined;
    this.#end(outcome);
    this.#start.focus({ preventScroll: true });
  }

  /** What becomes of a run's events; charts and texts of the run before make way. */
  #drawing(request: LabRequest): (event: LabEvent) => void {
    const live = new Live({
      baseSteps: this.#setup!.size.steps,
      withOriginal: request.original === undefined,
      kvHeads: request.kvHeads,
    });
    const texts = new Texts(request.sample.prompt);
    this.#results.clear();
    byId('train-bar', HTMLProgressElement).value = 0;
    byId('train-progress-text').textContent = 'opening the device';
    return (event) => {
      if (event.type === 'loss') live.add(event.loss);
      else if (event.type === 'sample') texts.add(event.sample);
      else if (event.type === 'result') this.#results.show(event.result);
      else this.#showProgress(event.text, event.share, event.leftMs);
    };
  }

  #showProgress(text: string, share: number, leftMs: number | undefined): void {
    byId('train-bar', HTMLProgressElement).value = share;
    byId('train-progress-text').textContent = [text, leftText(leftMs)].filter(Boolean).join('; ');
  }

  #setPaused(paused: boolean): void {
    this.#isPaused = paused;
    this.#run?.setPaused(paused);
    this.#showRunning();
  }

  #showRunning(): void {
    if (document.hidden)
      return this.#set('paused', 'Paused: this tab is hidden. It goes on when it is back.');
    if (this.#isPaused) return this.#set('paused', 'Paused. Nothing is lost.');
    this.#set('running', 'Running.');
  }

  #end(outcome: LabOutcome): void {
    byId('train-progress-text').textContent = '';
    const kept = this.#results.isShown
      ? 'Figures are of the seeds that were finished.'
      : 'No seed was finished, so there are no figures; losses and texts stay.';
    if (outcome.state === 'error') {
      this.#tell(failureTitle(outcome.code), outcome.message);
      this.#set('error', kept);
    } else if (outcome.state === 'stopped') this.#set('stopped', `Stopped. ${kept}`);
    else this.#set('done', 'Done.');
  }

  #set(state: State, status: string): void {
    this.#root.dataset.train = state;
    const isRunning = state === 'running' || state === 'paused';
    this.#start.hidden = isRunning;
    this.#pause.hidden = !isRunning;
    this.#pause.textContent = this.#isPaused ? 'Resume' : 'Pause';
    this.#stopButton.hidden = !isRunning;
    byId('train-bar').hidden = !isRunning;
    byId('train-status').textContent = status;
  }

  #tell(title: string, text?: string): void {
    const more = text === undefined ? [] : [el('p', {}, text)];
    byId('train-notices').replaceChildren(notice('bad', title, ...more));
  }
}
