// chart.ts: a chart as a figure: drawn, described, to keep as a file, and as a table for those who read instead.
import { messageOf } from '../../src/device/errors.ts';
import { el } from '../shell/dom.ts';
import './charts.css';
import { legendOf } from './legend.ts';
import { savePng, saveSvg, type Source } from './save.ts';
import type { ChartSpec } from './spec.ts';
import { tableOf } from './table.ts';

export type { Axis, ChartSpec, Point, Series } from './spec.ts';

/** The code that draws comes with the library, with the first chart of the page. */
const loadDrawing = () => import('./draw.ts');

/** A chart that may change. It keeps its size on the page from the start, whatever comes. */
export class LiveChart {
  /** To be put on the page; drawn as soon as it has a width there. */
  readonly element: HTMLElement;
  #spec: ChartSpec;
  readonly #title = el('strong', {});
  readonly #caption = el('p', { class: 'chart-caption' });
  readonly #legend = el('div', {});
  readonly #plot = el('div', { class: 'chart-plot' });
  readonly #saved = el('span', { role: 'status' });
  readonly #table = el('details', {}, el('summary', {}, 'The numbers as a table'));
  readonly #resized = new ResizeObserver(() => this.#schedule());
  #isWaiting = false;

  constructor(spec: ChartSpec) {
    this.#spec = spec;
    this.element = el(
      'figure',
      { class: 'chart' },
      el('figcaption', {}, this.#title),
      this.#legend,
      this.#plot,
      // Below what it speaks of, so that more of a chart is in sight at once.
      this.#caption,
      el(
        'div',
        { class: 'chart-save' },
        this.#button('SVG', async (source) => saveSvg(source)),
        this.#button('PNG', savePng),
        this.#saved,
      ),
      this.#table,
    );
    this.#table.addEventListener('toggle', () => this.#fillTable());
    this.#resized.observe(this.#plot);
    this.update(spec);
  }

  /** Draws other values in its place, at most once in a frame. */
  update(spec: ChartSpec): void {
    this.#spec = spec;
    this.#title.textContent = spec.title;
    this.#caption.textContent = spec.caption;
    this.#legend.replaceChildren(legendOf(spec));
    this.#fillTable();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    requestAnimationFrame(() => void this.#draw());
  }

  async #draw(): Promise<void> {
    try {
      const { drawChart } = await loadDrawing();
      const { clientWidth: width, clientHeight: height } = this.#plot;
      // A hidden one is drawn when it is shown: it gets a size then.
      if (width > 0) this.#plot.replaceChildren(drawChart(this.#spec, { width, height }));
    } catch (error) {
      const text = `This chart could not be drawn: ${messageOf(error)}. The table below has its numbers.`;
      this.#plot.replaceChildren(el('p', { class: 'chart-failed', role: 'alert' }, text));
    } finally {
      this.#isWaiting = false;
    }
  }

  #fillTable(): void {
    if (!this.#table.open) return;
    this.#table.querySelector('.chart-table')?.remove();
    // Reachable by keyboard, for it may be wider than the page.
    const attributes = {
      class: 'chart-table',
      role: 'region',
      tabindex: '0',
      'aria-label': this.#spec.title,
    };
    this.#table.append(el('div', attributes, tableOf(this.#spec)));
  }

  async #save(save: (source: Source) => Promise<string>): Promise<void> {
    try {
      const { drawChart } = await loadDrawing();
      const name = await save({ spec: this.#spec, draw: drawChart, place: this.#plot });
      this.#saved.textContent = `Saved ${name}`;
    } catch (error) {
      this.#saved.textContent = `Not saved: ${messageOf(error)}`;
    }
  }

  #button(kind: string, save: (source: Source) => Promise<string>): HTMLButtonElement {
    const button = el('button', { type: 'button' }, `Save ${kind}`);
    button.addEventListener('click', () => void this.#save(save));
    return button;
  }
}
