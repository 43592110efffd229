// results.ts: what a run came to: the paper's figures as charts and tables, to be taken away.
import { reproduceReport } from '../../bench/reproduce/report.ts';
import type { ReproduceResult } from '../../bench/schema/reproduceSchema.ts';
import { LiveChart } from '../charts/chart.ts';
import { adapterText } from '../shell/adapterFacts.ts';
import { byId } from '../shell/dom.ts';
import { copyText, saveJson } from '../shell/takeAway.ts';
import { figureCharts } from './figures.ts';
import { resultText } from './words.ts';

/** The figures on the page. */
export class Results {
  #result: ReproduceResult | undefined;
  #charts: LiveChart[] = [];

  listen(): void {
    byId('train-copy').addEventListener('click', () => void this.#copy());
    byId('train-download').addEventListener('click', () => this.#save());
  }

  get isShown(): boolean {
    return this.#result !== undefined;
  }

  /** Shows a result in the place of another. */
  show(result: ReproduceResult): void {
    this.#result = result;
    const specs = figureCharts(result);
    // Of the same run: its charts stay where they are.
    if (this.#charts.length > 0 && this.#charts.length <= specs.length) {
      this.#charts.forEach((chart, i) => chart.update(specs[i]!));
    } else this.clear();
    const more = specs.slice(this.#charts.length).map((spec) => new LiveChart(spec));
    this.#charts.push(...more);
    byId('train-figures').append(...more.map(({ element }) => element));
    const { adapter: name, software } = result.context;
    byId('train-result-of').textContent = resultText(result, adapterText({ name, software }));
    byId('train-report').textContent = reproduceReport(result);
    byId('train-shared').textContent = '';
    byId('train-result').hidden = false;
  }

  /** Takes away those of a run before. */
  clear(): void {
    this.#charts = [];
    byId('train-figures').replaceChildren();
    byId('train-result').hidden = true;
  }

  async #copy(): Promise<void> {
    const isCopied = this.#result !== undefined && (await copyText(reproduceReport(this.#result)));
    byId('train-shared').textContent = isCopied ? 'Copied.' : 'This browser did not allow it.';
  }

  #save(): void {
    if (!this.#result) return;
    const name = saveJson('gqa-reproduce', new Date().toISOString(), this.#result);
    byId('train-shared').textContent = `Saved as ${name}.`;
  }
}
