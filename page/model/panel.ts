// panel.ts: the part of the page that runs a model: takes its files, shows what it is, and makes texts side by side.
import { messageOf } from '../../src/device/errors.ts';
import { byId, el } from '../dom.ts';
import { version } from '../../package.json';
import { describeBrowser } from '../browser.ts';
import { notice } from '../notices.ts';
import { copyText, saveJson } from '../share.ts';
import { Columns } from './columns.ts';
import { chosenFiles, droppedFiles, modelFolderOf, type ModelFolder, type PlacedFile } from './files.ts';
import { checkVariants, readChoices, readForm, showChoices, showForm, updateVariants } from './form.ts';
import { describeInWorker, generateInWorker, type ModelOutcome } from './modelRunner.ts';
import type { ModelFacts } from './protocol.ts';
import { resultJson, resultMarkdown, type ModelResult } from './result.ts';
import { readModelSettings, withModelSettings } from '../modelSettings.ts';
import { doneText, METHOD, modelFacts } from './words.ts';

/** A model that was read. */
interface Opened {
  readonly folder: ModelFolder;
  readonly facts: ModelFacts;
}

/** What the panel and the benchmark tell each other: two on one GPU would share its time. */
export interface PanelHost {
  /** Why no model can run now; undefined when one can. */
  readonly blocked: () => string | undefined;
  /** Told when the panel begins to use the GPU, and when it is done. */
  readonly onBusy: (busy: boolean) => void;
}

type State = 'empty' | 'reading' | 'ready' | 'running' | 'done' | 'stopped' | 'error';

/** Makes the panel work. */
export function startModelPanel(host: PanelHost): void {
  const panel = new ModelPanel(host);
  panel.listen();
}

class ModelPanel {
  readonly #host: PanelHost;
  readonly #root = byId('model');
  readonly #generate = byId('model-generate', HTMLButtonElement);
  readonly #stopButton = byId('model-stop', HTMLButtonElement);
  #opened: Opened | undefined;
  #stop: AbortController | undefined;
  #result: ModelResult | undefined;

  constructor(host: PanelHost) {
    this.#host = host;
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
        void this.#take(Promise.resolve(chosenFiles(input.files!)));
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
    takeDrops((files) => {
      this.#root.scrollIntoView();
      void this.#take(files);
    });
    this.#forget();
    this.#set('empty', '');
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

  /** Reads what files are of. */
  async #take(placed: Promise<readonly PlacedFile[]>): Promise<void> {
    const isRunning = this.#root.dataset.model === 'running';
    const refused = isRunning ? 'A model is running; stop it first.' : this.#host.blocked();
    if (refused !== undefined) return this.#refuse(refused);
    this.#forget();
    try {
      const folder = modelFolderOf(await placed);
      // Of files that were dropped before these.
      this.#stop?.abort();
      this.#set('reading', `Reading ${folder.name}.`);
      const outcome = await this.#busy((signal) => describeInWorker(folder, signal));
      if (outcome.state === 'described') this.#show({ folder, facts: outcome.facts });
      else if (outcome.state === 'error') this.#fail(CANNOT_RUN, outcome);
    } catch (error) {
      this.#fail(CANNOT_RUN, { code: 'input', message: messageOf(error) });
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

  #show(opened: Opened): void {
    const { folder, facts } = opened;
    this.#opened = opened;
    byId('model-name').textContent = folder.name;
    byId('model-facts').replaceChildren(
      ...modelFacts(facts).map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
    );
    showForm(facts);
    checkVariants(facts);
    byId('model-opened').hidden = false;
    byId('model-method').hidden = false;
    this.#set('ready', `${folder.name} can be run.`);
  }

  /** Texts of the variants that the form asks for. */
  async #run(): Promise<void> {
    const refused = this.#host.blocked();
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
    const outcome = await this.#busy((signal) =>
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

  async #busy(work: (signal: AbortSignal) => Promise<ModelOutcome>): Promise<ModelOutcome> {
    const stop = new AbortController();
    this.#stop = stop;
    this.#host.onBusy(true);
    try {
      return await work(stop.signal);
    } finally {
      if (this.#stop === stop) {
        this.#stop = undefined;
        this.#host.onBusy(false);
      }
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

  /** Says why nothing is begun; what there is stays. */
  #refuse(why: string): void {
    byId('model-notices').replaceChildren(notice('bad', why));
  }
}

const CANNOT_RUN = 'This model cannot be run here.';

/** Takes files that are dropped anywhere on the page. */
function takeDrops(take: (files: Promise<PlacedFile[]>) => void): void {
  const root = document.documentElement;
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
  document.addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    root.dataset.dragging = '';
  });
  document.addEventListener('dragleave', (event) => {
    // To another element of the page, or out of it.
    if (event.relatedTarget === null) delete root.dataset.dragging;
  });
  document.addEventListener('drop', (event) => {
    delete root.dataset.dragging;
    if (!hasFiles(event)) return;
    event.preventDefault();
    take(droppedFiles(event.dataTransfer!));
  });
}
