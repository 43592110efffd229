// tab.ts: the part of the page that runs a model: takes its files, shows what it is, and makes texts side by side.
import { messageOf } from '../../src/device/errors.ts';
import { byId, el } from '../shell/dom.ts';
import { version } from '../../package.json';
import { describeBrowser } from '../shell/browser.ts';
import type { Host } from '../shell/host.ts';
import { notice } from '../shell/notice.ts';
import { chosenFiles, type PlacedFile } from '../shell/placedFiles.ts';
import { storiesFiles } from '../shell/stories.ts';
import { STORIES } from '../shell/storiesName.ts';
import { copyText, saveJson } from '../shell/takeAway.ts';
import { Columns } from './columns.ts';
import { modelFolderOf, type ModelFolder } from './files.ts';
import {
  checkVariants,
  readChoices,
  readForm,
  showChoices,
  showForm,
  updateVariants,
  type Preset,
} from './form.ts';
import { describeInWorker, generateInWorker, type ModelOutcome } from './modelRunner.ts';
import type { ModelFacts } from './protocol.ts';
import { resultJson, resultMarkdown, type ModelResult } from './result.ts';
import { readModelSettings, withModelSettings } from './settings.ts';
import html from './tab.html?raw';
import '../shell/forms.css';
import './model.css';
import { doneText, METHOD, modelFacts } from './words.ts';

/** A model that was read. */
interface Opened {
  readonly folder: ModelFolder;
  readonly facts: ModelFacts;
}

type State = 'empty' | 'reading' | 'ready' | 'running' | 'done' | 'stopped' | 'error';

/** Fills the tab and makes it work. */
export function openTab(root: HTMLElement, host: Host): void {
  root.innerHTML = html;
  const panel = new ModelPanel(root, host);
  panel.listen();
}

class ModelPanel {
  readonly #host: Host;
  readonly #root: HTMLElement;
  /** Why no model can ever run here. */
  #never: string | undefined;
  readonly #generate = byId('model-generate', HTMLButtonElement);
  readonly #stopButton = byId('model-stop', HTMLButtonElement);
  #opened: Opened | undefined;
  #stop: AbortController | undefined;
  #result: ModelResult | undefined;

  constructor(root: HTMLElement, host: Host) {
    this.#root = root;
    this.#host = host;
    void host.gpu.then(({ kind }) => {
      if (kind === 'none')
        this.#never = 'No model can run here: there is no GPU adapter. The first tab says more.';
    });
  }

  listen(): void {
    byId('model-method').textContent = METHOD;
    showChoices(readModelSettings(location.search));
    for (const id of ['model-merge', 'model-cache-type'])
      byId(id).addEventListener('change', () => this.#choose());
    byId('model-copy').addEventListener('click', () => void this.#copy());
    byId('model-download').addEventListener('click', () => this.#save());
    for (const id of ['model-folder', 'model-files']) {
      const input = byId(id, HTMLInputElement);
      input.addEventListener('change', () => {
        void this.#take(chosenFiles(input.files!));
        // The same files again are a change too.
        input.value = '';
      });
    }
    byId('model-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#run();
    });
    byId('model-variants').addEventListener(
      'change',
      () => this.#opened && checkVariants(this.#opened.facts),
    );
    this.#stopButton.addEventListener('click', () => this.#stop?.abort());
    byId('model-own').addEventListener('click', () => void this.#writeStories());
    this.#forget();
    this.#set('empty', '');
    this.#host.drops.receive('model', (files) => void this.#take(files));
  }

  /** Takes the method and the type of cache that were chosen; the address has them from then on. */
  #choose(): void {
    const { pathname, search, hash } = location;
    history.replaceState(null, '', `${pathname}${withModelSettings(search, readChoices())}${hash}`);
    if (!this.#opened) return;
    updateVariants(this.#opened.facts);
    checkVariants(this.#opened.facts);
  }

  async #copy(): Promise<void> {
    const isCopied = this.#result !== undefined && (await copyText(resultMarkdown(this.#result)));
    byId('model-shared').textContent = isCopied ? 'Copied.' : 'This browser did not allow it.';
  }

  #save(): void {
    if (!this.#result) return;
    const name = saveJson('gqa-generate', this.#result.date, resultJson(this.#result));
    byId('model-shared').textContent = `Saved as ${name}.`;
  }

  /** What can be taken away: the finished texts of a run. */
  #offer(result: ModelResult | undefined): void {
    this.#result = result && result.variants.length > 0 ? result : undefined;
    byId('model-share').hidden = this.#result === undefined;
    byId('model-shared').textContent = '';
  }

  #set(state: State, status: string): void {
    this.#root.dataset.model = state;
    const isRunning = state === 'running';
    this.#generate.hidden = isRunning;
    this.#stopButton.hidden = !isRunning;
    byId('model-status').textContent = status;
  }

  /** Texts by the project's own model with all of its numbers of KV heads. */
  async #writeStories(): Promise<void> {
    const folder = async () => ({ name: STORIES, files: await storiesFiles() });
    if (await this.#open(folder, STORIES_PRESET)) await this.#run();
  }

  /** Takes files that a reader has given. */
  async #take(placed: readonly PlacedFile[]): Promise<void> {
    await this.#open(() => modelFolderOf(placed));
  }

  /** Reads what a model is, and shows it; false where it does not come to that. */
  async #open(folderOf: () => ModelFolder | Promise<ModelFolder>, preset?: Preset): Promise<boolean> {
    const refused = this.#refusal();
    if (refused !== undefined) {
      this.#refuse(refused);
      return false;
    }
    this.#forget();
    // Of a model that was asked for before this one.
    this.#stop?.abort();
    const stop = this.#newStop();
    try {
      const folder = await folderOf();
      if (stop.signal.aborted) return false;
      this.#set('reading', `Reading ${folder.name}.`);
      const outcome = await describeInWorker(folder, stop.signal);
      if (outcome.state === 'described') this.#show({ folder, facts: outcome.facts }, preset);
      else if (outcome.state === 'error') this.#fail(CANNOT_RUN, outcome);
      return outcome.state === 'described';
    } catch (error) {
      if (!stop.signal.aborted) this.#fail(CANNOT_RUN, { code: 'input', message: messageOf(error) });
      return false;
    } finally {
      if (this.#stop === stop) this.#stop = undefined;
    }
  }

  #forget(): void {
    this.#opened = undefined;
    this.#offer(undefined);
    byId('model-notices').replaceChildren();
    byId('model-columns').replaceChildren();
    byId('model-opened').hidden = true;
    byId('model-method').hidden = true;
  }

  #show(opened: Opened, preset?: Preset): void {
    const { folder, facts } = opened;
    this.#opened = opened;
    byId('model-name').textContent = folder.name;
    byId('model-facts').replaceChildren(
      ...modelFacts(facts).map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
    );
    showForm(facts, preset);
    checkVariants(facts);
    byId('model-opened').hidden = false;
    byId('model-method').hidden = false;
    this.#set('ready', `${folder.name} can be run.`);
  }

  /** Texts of the variants that the form asks for. */
  async #run(): Promise<void> {
    const refused = this.#refusal();
    if (!this.#opened || this.#stop) return;
    if (refused !== undefined) return this.#refuse(refused);
    const { folder, facts } = this.#opened;
    const request = { folder, ...readForm(facts) };
    const columns = new Columns(request);
    this.#offer(undefined);
    byId('model-notices').replaceChildren();
    this.#set('running', 'Running.');
    // Focus would be lost with the button that was clicked.
    this.#stopButton.focus({ preventScroll: true });
    // With it at the top the texts are in sight.
    this.#stopButton.scrollIntoView();
    const outcome = await this.#onGpu((signal) =>
      generateInWorker(request, signal, (event) => columns.draw(event)),
    );
    columns.stop();
    this.#offer({
      date: new Date().toISOString(),
      version,
      runtime: describeBrowser(navigator.userAgent),
      facts,
      request,
      variants: columns.finished,
    });
    this.#end(outcome);
    this.#generate.focus({ preventScroll: true });
  }

  #newStop(): AbortController {
    return (this.#stop = new AbortController());
  }

  /** A job that has the GPU until it ends. */
  async #onGpu(work: (signal: AbortSignal) => Promise<ModelOutcome>): Promise<ModelOutcome> {
    const stop = this.#newStop();
    const giveBack = this.#host.use.begin(JOB);
    try {
      return await work(stop.signal);
    } finally {
      giveBack();
      if (this.#stop === stop) this.#stop = undefined;
    }
  }

  #end(outcome: ModelOutcome): void {
    if (outcome.state === 'error') return this.#fail('The text was not finished.', outcome);
    if (outcome.state === 'stopped') return this.#set('stopped', 'Stopped. Finished texts stay.');
    this.#set('done', doneText(this.#opened!.facts));
  }

  #fail(title: string, { code, message }: { readonly code: string; readonly message: string }): void {
    const what = code === 'device-lost' ? 'The GPU device was lost.' : title;
    byId('model-notices').replaceChildren(notice('bad', what, el('p', {}, message)));
    this.#set('error', '');
  }

  /** Why nothing can begin now; undefined when it can. */
  #refusal(): string | undefined {
    const { job } = this.#host.use;
    return this.#never ?? (job === undefined ? undefined : `${job} is running on the GPU; stop it first.`);
  }

  /** Says why nothing is begun; what there is stays. */
  #refuse(why: string): void {
    byId('model-notices').replaceChildren(notice('bad', why));
  }
}

/** What the project's own model writes at first; it has learned contexts of 128 characters. */
const STORIES_PRESET: Preset = { prompt: 'In the evening', maxTokens: 114, temperature: 0.7 };

/** What has the GPU, in messages of other tabs. */
const JOB = 'A model';

const CANNOT_RUN = 'This model cannot be run here.';
