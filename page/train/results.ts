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
  #isOfRun = false;

  listen(): void {
    byId('train-copy').addEventListener('click', () => void this.#copy());
    byId('train-download').addEventListener('click', () => this.#save());
  }

  /** A run begins: what is shown is of the one before, and stays until this one has finished a seed. */
  begin(): void {
    this.#isOfRun = false;
  }

  /** Whether the run that was begun last has finished a seed. */
  get isOfRun(): boolean {
    return this.#isOfRun;
  }

  /** Shows a result in the place of another. */
  show(result: ReproduceResult): void {
    this.#result = result;
    this.#isOfRun = true;
    const specs = figureCharts(result);
    // One of the run before may have no counterpart.
    for (const { element } of this.#charts.splice(specs.length)) element.remove();
    this.#charts.forEach((chart, i) => chart.update(specs[i]!));
    const more = specs.slice(this.#charts.length).map((spec) => new LiveChart(spec));
    this.#charts.push(...more);
    byId('train-figures').append(...more.map(({ element }) => element));
    const { adapter: name, software } = result.context;
    byId('train-result-of').textContent = resultText(result, adapterText({ name, software }));
    byId('train-report').textContent = reproduceReport(result);
    byId('train-shared').textContent = '';
    byId('train-result').hidden = false;
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
