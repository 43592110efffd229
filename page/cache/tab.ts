// tab.ts: the KV cache calculator: the arithmetic of `gqa kv`, for presets and for a model's own file.
import { kvReport, type KvReport, type KvReportRequest } from '../../bench/kv/kvReport.ts';
import { layerWords, shapeWords, workedFormula } from '../../bench/kv/kvWords.ts';
import { presetShape } from '../../bench/kv/presetShape.ts';
import { GqaError, messageOf } from '../../src/device/errors.ts';
import type { ConfigShape } from '../../src/models/config.ts';
import { isPreset } from '../../src/models/presets.ts';
import { LiveChart } from '../charts/chart.ts';
import { byId, el } from '../shell/dom.ts';
import type { Host } from '../shell/host.ts';
import { notice } from '../shell/notice.ts';
import { chosenFiles, type PlacedFile } from '../shell/placedFiles.ts';
import { copyText } from '../shell/takeAway.ts';
import { answerText, commandLine, limitText, type AdapterLimits } from './answer.ts';
import { fillForm, formTexts, showFaults, showModel } from './form.ts';
import { kvChart } from './kvChart.ts';
import {
  KV_STANDARD,
  readKvTexts,
  readQuestion,
  withKvTexts,
  type KvField,
  type KvTexts,
} from './settings.ts';
import { shapeOfFiles } from './shapeFile.ts';
import { showPresets, showVariants } from './tables.ts';
import html from './tab.html?raw';
import './cache.css';

/** Fills the tab and makes it work. */
export function openTab(root: HTMLElement, host: Host): void {
  root.innerHTML = html;
  new Calculator().listen(host);
}

class Calculator {
  /** The model of a file; a preset is found by its name. */
  #file: ConfigShape | undefined;
  #limits: AdapterLimits | undefined;
  #chart: LiveChart | undefined;

  listen({ gpu, drops }: Host): void {
    fillForm(readKvTexts(location.search));
    byId('kv-form').addEventListener('input', () => this.#change());
    byId('kv-form').addEventListener('submit', (event) => event.preventDefault());
    byId('kv-copy').addEventListener('click', () => void this.#copy());
    byId('kv-presets').addEventListener('click', ({ target }) => {
      const preset = (target as HTMLElement).dataset['preset'];
      if (preset === undefined) return;
      showModel(preset);
      this.#change();
      // The table is made anew; what changed is above it.
      byId('kv-model').focus();
    });
    const input = byId('kv-file', HTMLInputElement);
    input.addEventListener('change', () => {
      void this.#take(chosenFiles(input.files!));
      // The same file again is a change too.
      input.value = '';
    });
    drops.receive('cache', (files) => void this.#take(files));
    this.#show();
    void gpu.then((found) => {
      if (found.kind === 'adapter') this.#limits = found.adapter.limits;
      this.#show();
    });
  }

  /** Something was typed or chosen. */
  #change(): void {
    byId('kv-copied').textContent = '';
    if (this.#show()) this.#address(formTexts());
  }

  /** What is asked stands in the address, but for a file, which it cannot name. */
  #address(texts: KvTexts): void {
    const { pathname, search, hash } = location;
    const named = isPreset(texts.model) ? texts : { ...texts, model: KV_STANDARD.model };
    history.replaceState(null, '', `${pathname}${withKvTexts(search, named)}${hash}`);
  }

  /** Shows the answer, or beside which field it is wrong; whether there is an answer. */
  #show(): boolean {
    const texts = formTexts();
    const question = readQuestion(texts);
    const faults: Partial<Record<KvField, string>> = 'faults' in question ? { ...question.faults } : {};
    const report = this.#report(texts.model, 'request' in question ? question.request : undefined, faults);
    showFaults(faults);
    // Hidden where it stands, so that nothing jumps while a number is typed.
    byId('kv-answer').toggleAttribute('data-wrong', !report);
    if (!report) byId('kv-sentence').textContent = 'No answer yet: a field above is not right.';
    else this.#showReport(report, commandLine(texts, this.#isOfFile(texts.model) ? texts.model : undefined));
    return report !== undefined;
  }

  #isOfFile(model: string): boolean {
    return this.#file?.name === model;
  }

  /** The answer; undefined where a fault says why there is none. */
  #report(
    model: string,
    request: KvReportRequest | undefined,
    faults: Partial<Record<KvField, string>>,
  ): KvReport | undefined {
    try {
      const shape = this.#isOfFile(model) ? this.#file! : presetShape(model);
      return request && kvReport(shape, request);
    } catch (error) {
      if (!(error instanceof GqaError)) throw error;
      // Only a size past 2^53 bytes is left to be wrong with a model that is known.
      faults[error.code === 'unknown-preset' ? 'model' : 'depth'] = error.message.replace(/^\w+: /, '');
      return undefined;
    }
  }

  #showReport(report: KvReport, command: string): void {
    byId('kv-sentence').textContent = answerText(report);
    showVariants(byId('kv-variants', HTMLTableElement), report);
    byId('kv-shape').textContent = shapeWords(report);
    byId('kv-formula').textContent = workedFormula(report);
    const notes = [...layerWords(report), ...report.notes];
    byId('kv-notes').replaceChildren(...notes.map((note) => el('li', {}, note)));
    byId('kv-command').textContent = command;
    byId('kv-limit').textContent = limitText(report, this.#limits);
    showPresets(byId('kv-presets').querySelector('table')!, report);
    const spec = kvChart(report, this.#limits);
    if (this.#chart) return this.#chart.update(spec);
    this.#chart = new LiveChart(spec);
    byId('kv-chart').replaceChildren(this.#chart.element);
  }

  async #take(files: readonly PlacedFile[]): Promise<void> {
    const notices = byId('kv-notices');
    try {
      this.#file = await shapeOfFiles(files);
      notices.replaceChildren();
      showModel(this.#file.name);
      this.#change();
    } catch (error) {
      notices.replaceChildren(
        notice('bad', 'No shape could be read from this file.', el('p', {}, messageOf(error))),
      );
    }
  }

  async #copy(): Promise<void> {
    const isCopied = await copyText(byId('kv-command').textContent);
    byId('kv-copied').textContent = isCopied ? 'Copied.' : 'This browser did not allow it.';
  }
}
