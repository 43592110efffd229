// texts.ts: what models wrote, a card for each: before the conversion, right after it, and trained on.
import { byId, el } from '../shell/dom.ts';
import type { LabTraining } from '../../bench/reproduce/run.ts';
import type { Sample } from './protocol.ts';
import { whenText, writerText } from './words.ts';

/** The texts of one run. */
export class Texts {
  readonly #prompt: string;
  readonly #cards = new Map<string, HTMLElement>();

  /** Takes away those of the run before. */
  constructor(prompt: string) {
    this.#prompt = prompt;
    byId('train-texts').replaceChildren();
    byId('train-written').hidden = true;
  }

  /** Puts a text to its model's card. */
  add({ training, text }: Sample): void {
    byId('train-written').hidden = false;
    this.#cardOf(training).append(
      el('h5', {}, whenText(training)),
      el('p', { class: 'text' }, el('span', { class: 'muted' }, this.#prompt), text),
    );
  }

  #cardOf(training: LabTraining): HTMLElement {
    const name = writerText(training);
    const known = this.#cards.get(name);
    if (known) return known;
    const card = el('article', { class: 'box' }, el('h4', {}, name));
    this.#cards.set(name, card);
    byId('train-texts').append(card);
    return card;
  }
}
