// sharing.ts: the part of the first tab that takes results away and brings them in: copies, links, files, comparisons.
import { csvReport } from '../../bench/report/csvReport.ts';
import { markdownReport } from '../../bench/report/report.ts';
import type { Side } from '../../bench/report/compare.ts';
import { isWholeResult } from '../../bench/report/compareKinds.ts';
import { ofThisSuite } from '../../bench/schema/readResult.ts';
import type { BenchResult } from '../../bench/schema/schema.ts';
import { messageOf } from '../../src/device/errors.ts';
import { byId, el } from '../shell/dom.ts';
import type { Host } from '../shell/host.ts';
import { notice } from '../shell/notice.ts';
import { copyText, saveFile, saveJson } from '../shell/takeAway.ts';
import { compareView } from './compareView.ts';
import { checkPlausible } from './plausible.ts';
import { readResultFiles } from './resultFiles.ts';
import { sameRun } from './sameRun.ts';
import { sharedView, type SharedViewOptions } from './sharedView.ts';
import './share.css';
import { readShareLink, shareLink } from './shareLink.ts';
import { LINK_TEXT, singleFault } from './words.ts';

/** What the results are called in comparisons that no file gives a name. */
const HERE = 'here';
const SHARED = 'shared';

/** Fills `#shared-result`, `#share` and `#comparison`, and takes dropped results. */
export class Sharing {
  readonly #host: Host;
  readonly #rows: SharedViewOptions['rows'];
  readonly #status = el('span', { id: 'shared', role: 'status' });
  readonly #buttons = el('div', { id: 'share-buttons', hidden: '' });
  readonly #hint = el('p', { class: 'small', id: 'link-text', hidden: '' }, LINK_TEXT);
  #own: BenchResult | undefined;
  /** A result of elsewhere that is open, which a run here is compared with. */
  #shared: Side | undefined;
  #canRun = false;

  /** `rows` shows a result's rows as the page shows those of a run of its own. */
  constructor(host: Host, rows: SharedViewOptions['rows']) {
    this.#host = host;
    this.#rows = rows;
  }

  /** Makes it work, and opens the result that the address holds, now and when it holds another one. */
  async listen(): Promise<void> {
    this.#buttons.append(
      this.#button('copy', 'Copy Markdown', (result) => this.#copyReport(result)),
      this.#button('copy-link', 'Copy link', (result) => this.#copyLink(result)),
      this.#button('download', 'Download JSON', (result) => this.#saveJson(result)),
      this.#button('download-csv', 'Download CSV', (result) => this.#saveCsv(result)),
      this.#status,
    );
    byId('share').replaceChildren(this.#buttons, this.#hint, this.#chooser());
    byId('share').hidden = false;
    this.#host.drops.receive('compare', (files) => void this.#take(files.map(({ file }) => file)));
    globalThis.addEventListener('hashchange', () => void this.#openLink());
    this.#canRun = (await this.#host.gpu).kind === 'adapter';
    await this.#openLink();
  }

  /** Offers a result of this device, beside the one of elsewhere that is open; hides the buttons without one. */
  show(result: BenchResult | undefined): void {
    this.#own = result;
    this.#buttons.hidden = result === undefined;
    this.#hint.hidden = true;
    this.#status.textContent = '';
    byId('report').hidden = result === undefined;
    byId('report-text').textContent = result ? markdownReport(result) : '';
    if (result && this.#shared) this.#compare([this.#shared, { name: HERE, result }]);
  }

  #button(id: string, text: string, act: (result: BenchResult) => Promise<void> | void): HTMLElement {
    const button = el('button', { type: 'button', id }, text);
    button.addEventListener('click', () => {
      if (this.#own) void act(this.#own);
    });
    return button;
  }

  #chooser(): HTMLElement {
    const input = el('input', { type: 'file', id: 'result-files', multiple: '', accept: '.json' });
    input.addEventListener('change', () => {
      void this.#take([...input.files!]);
      // The same files again are a change too.
      input.value = '';
    });
    return el(
      'div',
      { class: 'result-drop' },
      el(
        'p',
        {},
        el('strong', {}, 'Compare results: '),
        'drop result files of this page or of ',
        el('code', {}, 'gqa bench'),
        ' anywhere here. They stay on this machine.',
      ),
      el('label', { class: 'button' }, 'Choose result files', input),
    );
  }

  async #copyReport(result: BenchResult): Promise<void> {
    if (await copyText(markdownReport(result))) return this.#say('Copied.');
    // The text stands on the page, selected, ready to be copied by hand.
    byId('report', HTMLDetailsElement).open = true;
    getSelection()?.selectAllChildren(byId('report-text'));
    this.#say('This browser did not allow it; the report is selected below, copy it from there.');
  }

  async #copyLink(result: BenchResult): Promise<void> {
    try {
      const link = `${location.origin}${location.pathname}${await shareLink(result)}`;
      this.#hint.hidden = false;
      if (await copyText(link))
        return this.#say(`Link copied: ${link.length.toLocaleString('en')} characters.`);
      this.#say('This browser did not allow it. The link:');
      this.#hint.replaceChildren(LINK_TEXT, ' ', el('a', { href: link }, link));
    } catch (error) {
      this.#say(messageOf(error));
    }
  }

  #saveJson(result: BenchResult): void {
    this.#say(`Saved as ${saveJson('gqa-bench', result.context.date, result)}.`);
  }

  #saveCsv(result: BenchResult): void {
    const name = `gqa-bench-${result.context.date.replaceAll(/[^0-9]/g, '').slice(0, 14)}.csv`;
    saveFile(name, new Blob([`${csvReport(result)}\n`], { type: 'text/csv' }));
    this.#say(`Saved as ${name}.`);
  }

  #say(text: string): void {
    this.#status.textContent = text;
  }

  async #openLink(): Promise<void> {
    const link = await readShareLink(location.hash);
    if (link.state === 'read') this.#open({ name: SHARED, result: link.result }, link.result, 'link');
    if (link.state === 'bad')
      byId('shared-result').replaceChildren(
        notice(
          'bad',
          'The shared result cannot be shown.',
          el('p', {}, link.why),
          el('p', {}, 'Ask for the link again, or for the result as a file. Everything else here works.'),
        ),
      );
  }

  /** Shows a result of elsewhere, and compares it with what was measured here, if anything was. */
  #open(side: Side, result: BenchResult, source: SharedViewOptions['source']): void {
    this.#shared = side;
    const view = sharedView(result, {
      source,
      rows: this.#rows,
      same: sameRun(result),
      canRun: this.#canRun,
      isFolded: new URLSearchParams(location.search).has('run'),
      runHere: (query) => runHere(query),
      close: () => this.#close(),
    });
    byId('shared-result').replaceChildren(view);
    byId('comparison').replaceChildren();
    if (this.#own) this.#compare([side, { name: HERE, result: this.#own }]);
  }

  #close(): void {
    this.#shared = undefined;
    byId('shared-result').replaceChildren();
    history.replaceState(null, '', `${location.pathname}${location.search}#compare`);
  }

  /** Files that were dropped or chosen: one is shown, several are compared. */
  async #take(files: readonly File[]): Promise<void> {
    const { sides, faults } = await readResultFiles(files);
    const [first, ...others] = sides;
    if (first && others.length === 0) this.#openFile(first, faults);
    if (first && others.length > 0) this.#compare([first, ...others]);
    if (faults.length > 0) byId('comparison').prepend(faultNotice(faults));
    byId(first && others.length === 0 ? 'shared-result' : 'comparison').scrollIntoView({ block: 'start' });
  }

  #openFile(side: Side, faults: string[]): void {
    byId('comparison').replaceChildren();
    const fault = singleFault(side);
    if (fault !== undefined || isWholeResult(side.result)) return void faults.push(fault ?? '');
    try {
      const result = ofThisSuite(side.result, side.name);
      checkPlausible(result);
      this.#open(side, result, { file: side.name });
    } catch (error) {
      faults.push(`${messageOf(error)}.`);
    }
  }

  #compare(sides: readonly [Side, ...Side[]]): void {
    try {
      byId('comparison').replaceChildren(compareView(sides));
    } catch (error) {
      byId('comparison').replaceChildren(faultNotice([`${messageOf(error)}.`]));
    }
  }
}

function faultNotice(faults: readonly string[]): HTMLElement {
  return notice(
    'bad',
    'Not all of it can be compared.',
    el('ul', {}, ...faults.map((fault) => el('li', {}, fault))),
  );
}

/** Opens the page anew with these settings, running, and the same shared result. */
function runHere(query: string): void {
  history.replaceState(null, '', `${location.pathname}?${query}&run${location.hash}`);
  location.reload();
}
