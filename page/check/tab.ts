// tab.ts: the tab that checks the kernels of this device: what to run, the runs as they come, the answer and its report.
import { version } from '../../package.json';
import { CHECK_CASES, casesFor } from '../../bench/check/cases.ts';
import { checkJson, checkMarkdown, passed, type CheckResult } from '../../bench/report/checkReport.ts';
import { KV_TYPES } from '../../src/index.ts';
import { DECODE_KERNELS } from '../../src/decode/planContext.ts';
import { describeBrowser } from '../shell/browser.ts';
import { byId, el } from '../shell/dom.ts';
import type { Host } from '../shell/host.ts';
import { notice } from '../shell/notice.ts';
import { copyText, saveJson } from '../shell/takeAway.ts';
import type { CheckEvent, CheckPlan } from './protocol.ts';
import { checkInWorker, type CheckOutcome } from './runner.ts';
import {
  readCheckSettings,
  requestOf,
  withCheckSettings,
  type CheckSettings,
  type Scope,
} from './settings.ts';
import html from './tab.html?raw';
import './check.css';
import { allRuns, Faults, groupsTable, untriedList } from './view.ts';
import { findingOf, headline, METHOD, scopeText, timeLeft, type Checked } from './words.ts';

/** What has the GPU, in messages of other tabs. */
const JOB = 'The check';

type State = 'idle' | 'running' | CheckOutcome['state'];

/** Fills the tab and makes it work. */
export function openTab(root: HTMLElement, host: Host): void {
  root.innerHTML = html;
  new CheckTab(root, host).listen();
}

/** A check on its way. */
interface Checking extends Checked {
  readonly settings: CheckSettings;
  readonly began: number;
  readonly faults: Faults;
  plan?: CheckPlan;
  runs: CheckPlan['runs'];
  readonly rows: Checked['rows'][number][];
  appends: Checked['appends'];
}

class CheckTab {
  readonly #root: HTMLElement;
  readonly #host: Host;
  readonly #start = byId('check-start', HTMLButtonElement);
  readonly #stopButton = byId('check-stop', HTMLButtonElement);
  readonly #bar = byId('check-progress', HTMLProgressElement);
  #canRun = false;
  #stop: AbortController | undefined;
  #result: CheckResult | undefined;

  constructor(root: HTMLElement, host: Host) {
    this.#root = root;
    this.#host = host;
  }

  listen(): void {
    byId('check-method').textContent = METHOD;
    byId('check-types').append(...KV_TYPES.map((value) => el('option', { value: `_${value}` })));
    const { errors, ...settings } = readCheckSettings(location.search);
    this.#showSettings(settings);
    this.#set('idle', '');
    byId('check-form').addEventListener('change', () => this.#choose());
    byId('check-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#run();
    });
    this.#stopButton.addEventListener('click', () => this.#stop?.abort());
    byId('check-copy').addEventListener('click', () => void this.#copy());
    byId('check-download').addEventListener('click', () => this.#save());
    this.#host.use.onChange(() => this.#allow());
    if (errors.length > 0) this.#tell('The address has bad parameters; the standard ones are taken.', errors);
    void this.#host.gpu.then(({ kind }) => {
      this.#canRun = kind === 'adapter';
      if (kind === 'none')
        this.#tell('Nothing can be checked here: there is no GPU adapter.', [
          'The first tab says what helps.',
        ]);
      this.#allow();
    });
  }

  #tell(title: string, lines: readonly string[]): void {
    byId('check-notices').replaceChildren(notice('bad', title, ...lines.map((line) => el('p', {}, line))));
  }

  #showSettings({ kernels, scope, text }: CheckSettings): void {
    byId('check-scope', HTMLSelectElement).value = scope;
    byId('check-text', HTMLInputElement).value = text;
    const boxes = DECODE_KERNELS.map((kernel) => {
      const box = el('input', { type: 'checkbox', name: 'kernel', value: kernel });
      box.checked = kernels.includes(kernel);
      return el('label', {}, box, kernel);
    });
    byId('check-kernels').replaceChildren(...boxes);
  }

  #settings(): CheckSettings {
    const boxes = [...byId('check-kernels').querySelectorAll('input')];
    return {
      kernels: DECODE_KERNELS.filter((kernel) => boxes.some((box) => box.checked && box.value === kernel)),
      scope: byId('check-scope', HTMLSelectElement).value as Scope,
      text: byId('check-text', HTMLInputElement).value.trim(),
    };
  }

  /** The address has what was chosen from then on. */
  #choose(): void {
    const { pathname, search, hash } = location;
    history.replaceState(null, '', `${pathname}${withCheckSettings(search, this.#settings())}${hash}`);
  }

  #allow(): void {
    const { job } = this.#host.use;
    this.#start.disabled = !this.#canRun || job !== undefined;
    const others = job !== undefined && job !== JOB;
    this.#start.title = others ? `${job} is running on the GPU; stop it first.` : '';
  }

  #set(state: State, status: string): void {
    const isRunning = state === 'running';
    this.#root.dataset.check = state;
    this.#start.hidden = isRunning;
    this.#stopButton.hidden = !isRunning;
    this.#bar.hidden = !isRunning;
    for (const field of byId('check-form').querySelectorAll<HTMLInputElement>('select, input'))
      field.disabled = isRunning;
    byId('check-progress-text').textContent = '';
    byId('check-status').textContent = status;
  }

  /** Why these settings have nothing to run; undefined when they have. */
  #nothing({ kernels, scope, text }: CheckSettings): string | undefined {
    if (kernels.length === 0) return 'No kernel is chosen.';
    // Whatever the device: the grid of software adapters is part of the whole one.
    const { choice } = requestOf({ kernels, scope, text });
    if (casesFor(false, choice).length > 0) return undefined;
    return `No case’s name contains “${text}”. The control case is ${CHECK_CASES[0]!.name}.`;
  }

  async #run(): Promise<void> {
    const settings = this.#settings();
    const nothing = this.#nothing(settings);
    if (this.#stop || this.#host.use.job !== undefined) return;
    if (nothing !== undefined) return this.#tell(nothing, []);
    const faults = new Faults(byId('check-faults'), byId('check-more-faults'));
    const checking: Checking = {
      settings,
      began: performance.now(),
      faults,
      runs: [],
      rows: [],
      appends: [],
    };
    this.#clear();
    this.#set('running', 'Opening the device.');
    // Focus would be lost with the button that was clicked.
    this.#stopButton.focus({ preventScroll: true });
    this.#stop = new AbortController();
    const giveBack = this.#host.use.begin(JOB);
    const outcome = await checkInWorker(requestOf(settings), this.#stop.signal, (event) =>
      this.#draw(checking, event),
    );
    giveBack();
    this.#stop = undefined;
    this.#end(checking, outcome);
    this.#start.textContent = 'Check again';
    this.#start.focus({ preventScroll: true });
  }

  #clear(): void {
    this.#result = undefined;
    for (const id of ['check-notices', 'check-tables']) byId(id).replaceChildren();
    byId('check-answer').hidden = true;
    byId('check-share').hidden = true;
    byId('check-shared').textContent = '';
    this.#bar.value = 0;
  }

  #draw(checking: Checking, event: CheckEvent): void {
    if (event.type === 'planned') {
      checking.plan = event.plan;
      checking.runs = event.plan.runs;
      byId('check-status').textContent = 'Running.';
    } else if (event.type === 'appends') {
      checking.appends = event.appends;
      checking.faults.addAppends(event.appends);
    } else {
      checking.rows.push(event.row);
      if (!passed(event.row)) checking.faults.add(event.row);
    }
    this.#showProgress(checking);
  }

  #showProgress({ runs, rows, began }: Checking): void {
    const next = runs[rows.length];
    const left = timeLeft(rows.length, runs.length, performance.now() - began);
    const failed = rows.filter((row) => !passed(row)).length;
    this.#bar.max = Math.max(1, runs.length);
    this.#bar.value = rows.length;
    byId('check-progress-text').textContent = [
      `${rows.length} of ${runs.length} runs${failed > 0 ? `, ${failed} of them failed` : ''}`,
      ...(left === '' ? [] : [left]),
      next ? `now ${next.case} by ${next.kernel}` : 'now appends to caches',
    ].join(' · ');
  }

  #end(checking: Checking, outcome: CheckOutcome): void {
    const { plan, rows, runs } = checking;
    if (outcome.state === 'error') {
      const what = outcome.code === 'device-lost' ? 'The GPU device was lost.' : 'The check failed.';
      this.#tell(what, [outcome.message]);
    }
    if (!plan) return this.#set(outcome.state, outcome.state === 'stopped' ? 'Stopped.' : '');
    if (runs.length === 0) this.#tell('None of these cases runs on this device by the kernels chosen.', []);
    this.#showAnswer(checking, plan, outcome);
    const said = { done: 'Done.', stopped: 'Stopped.', error: 'Ended early; see below.' }[outcome.state];
    this.#set(outcome.state, rows.length > 0 ? said : `${said} ${headline(checking)}`);
  }

  #showAnswer(checking: Checking, plan: CheckPlan, outcome: CheckOutcome): void {
    const { rows, appends, settings, began } = checking;
    const { name, software } = plan.adapter;
    const seconds = (performance.now() - began) / 1000;
    byId('check-tables').replaceChildren(
      ...(rows.length > 0 ? [groupsTable(rows), allRuns(rows)] : []),
      ...untriedList(plan.untried),
    );
    if (rows.length === 0) return;
    const answer = byId('check-answer');
    answer.dataset.finding = findingOf(checking);
    byId('check-headline').textContent = headline(checking);
    byId('check-scope-text').textContent = scopeText(
      checking,
      software ? `${name} (software: a CPU)` : name,
      seconds,
    );
    answer.hidden = false;
    byId('check-share').hidden = false;
    this.#result = {
      version,
      runtime: describeBrowser(navigator.userAgent),
      adapter: name,
      software,
      seconds,
      cases: casesFor(software, requestOf(settings).choice),
      rows,
      appends,
      ...(outcome.state !== 'done' && { partial: partialOf(outcome, plan) }),
    };
  }

  async #copy(): Promise<void> {
    const isCopied = this.#result !== undefined && (await copyText(checkMarkdown(this.#result)));
    byId('check-shared').textContent = isCopied ? 'Copied.' : 'This browser did not allow it.';
  }

  #save(): void {
    if (!this.#result) return;
    const date = new Date().toISOString();
    const name = saveJson('gqa-check', date, { date, ...checkJson(this.#result) });
    byId('check-shared').textContent = `Saved as ${name}.`;
  }
}

/** Why runs are missing, as the command says it. */
function partialOf(outcome: Exclude<CheckOutcome, { state: 'done' }>, { runs }: CheckPlan) {
  if (outcome.state === 'stopped') return { code: 'interrupted', reason: 'stopped', rows: runs.length };
  return { code: outcome.code, reason: outcome.message, rows: runs.length };
}
