// columns.ts: the texts side by side, a column for each variant, as they come.
import { byId, el } from '../shell/dom.ts';
import type { Figures, GenerateEvent, GenerateRequest, PageVariant } from './protocol.ts';
import { endText, figureFacts, headsText, originText } from './words.ts';

interface Column {
  readonly root: HTMLElement;
  readonly status: HTMLElement;
  readonly bar: HTMLProgressElement;
  readonly figures: HTMLElement;
  readonly text: Text;
}

/** The columns of one run. */
export class Columns {
  readonly #columns: readonly Column[];
  readonly #finished: PageVariant[] = [];

  /** Puts them on the page, empty. */
  constructor({ prompt, variants }: Pick<GenerateRequest, 'prompt' | 'variants'>) {
    const before = typeof prompt === 'string' ? prompt : `${prompt.join(', ')}, `;
    this.#columns = variants.map((variant) => {
      const status = el('p', { class: 'muted' }, 'waiting');
      const bar = el('progress', { max: '1', hidden: '', 'aria-label': `Loading ${headsText(variant)}` });
      const figures = el('dl', {});
      const text = new Text();
      const output = el('p', { class: 'text' }, el('span', { class: 'muted' }, before), text);
      const title = el('h3', {}, headsText(variant), el('small', {}, originText(variant)));
      const root = el('article', { 'data-variant': 'waiting' }, title, figures, status, bar, output);
      return { root, status, bar, figures, text };
    });
    byId('model-columns').replaceChildren(...this.#columns.map(({ root }) => root));
  }

  /** Draws an event of the worker. */
  draw(event: GenerateEvent): void {
    const column = this.#columns[event.index]!;
    if (event.type === 'progress') showProgress(column, event.text, event.share);
    else if (event.type === 'text') addText(column, event.text);
    else if (event.type === 'finished') {
      this.#finished.push(event.generated);
      finish(column, event.text, event.figures);
    } else end(column, 'refused', event.message);
  }

  /** Texts that came to their end. */
  get finished(): readonly PageVariant[] {
    return this.#finished;
  }

  /** Says of those that are not finished that they will not be. */
  stop(): void {
    for (const column of this.#columns) {
      const { variant } = column.root.dataset;
      if (variant === 'waiting' || variant === 'running') end(column, 'stopped', 'Stopped: no times.');
    }
  }
}

function showProgress({ root, status, bar }: Column, text: string, share: number | undefined): void {
  root.dataset.variant = 'running';
  status.textContent = text;
  bar.hidden = share === undefined;
  bar.value = share ?? 0;
}

function addText({ status, text }: Column, more: string): void {
  if (text.length === 0) status.textContent = 'writing';
  text.appendData(more);
}

function finish(column: Column, text: string, figures: Figures): void {
  column.text.data = text;
  column.figures.replaceChildren(
    ...figureFacts(figures).map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))),
  );
  end(column, 'finished', endText(figures));
}

function end({ root, status, bar }: Column, state: string, text: string): void {
  root.dataset.variant = state;
  status.textContent = text;
  bar.hidden = true;
}
