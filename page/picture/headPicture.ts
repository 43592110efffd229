// headPicture.ts: the picture of shared heads, and the slider that changes it.
import { plural } from '../../bench/text/format.ts';
import { el } from '../shell/dom.ts';
import { drawHeads, KV_ID, kvHeadAt } from './drawing.ts';
import { kvHeadChoices, kvHeadText, sharingText, type Sharing } from './sharing.ts';
import './picture.css';

/** What the picture begins with. */
export interface PictureShape {
  readonly heads: number;
  /** KV heads of grouped-query attention, as the model has them. */
  readonly grouped: number;
}

/** Calls back with the number of KV heads that a reader has settled on. */
export type OnChoose = (kvHeads: number) => void;

/** Draws the picture in place of what `root` has; `onChoose` hears of every number of KV heads that a reader settles on. */
export function showHeadPicture(root: HTMLElement, shape: PictureShape, onChoose: OnChoose): void {
  root.replaceChildren(...new HeadPicture(shape, onChoose).elements);
}

/** Query heads above, the KV heads that they read below; pills and a slider for how many; a click on a head tells who uses it. */
class HeadPicture {
  readonly #heads: number;
  readonly #choices: readonly number[];
  readonly #pills: ReadonlyMap<number, HTMLInputElement>;
  readonly #slider: HTMLInputElement;
  readonly #listbox = el('div', { class: 'heads', role: 'listbox', tabindex: '0', 'aria-label': 'KV heads' });
  readonly #sentence = el('p', { class: 'sentence', role: 'status' });
  readonly #queryHeads = el('li', { class: 'query' });
  readonly #kvHeadsLegend = el('li', { class: 'kv' });
  readonly elements: readonly HTMLElement[];
  #kvHeads: number;
  #chosen: number | undefined;

  constructor({ heads, grouped }: PictureShape, onChoose: OnChoose) {
    this.#heads = heads;
    this.#choices = kvHeadChoices(heads);
    this.#kvHeads = grouped;
    // Where two of them are the same number, one pill is left.
    const names = new Map([
      [grouped, 'GQA'],
      [1, 'MQA'],
      [heads, 'MHA'],
    ]);
    const numbers = [...names.keys()].toSorted((a, b) => b - a);
    this.#pills = new Map(
      numbers.map((kvHeads) => [kvHeads, el('input', { type: 'radio', name: 'sharing' })]),
    );
    this.#slider = el('input', {
      type: 'range',
      id: 'kv-heads-slider',
      min: '0',
      max: String(this.#choices.length - 1),
      step: '1',
    });
    this.elements = [
      el(
        'div',
        { class: 'sharing' },
        el(
          'div',
          { class: 'pills', role: 'radiogroup', 'aria-label': 'How KV heads are shared' },
          ...[...this.#pills].map(([kvHeads, input]) => el('label', {}, input, names.get(kvHeads)!)),
        ),
        el('label', { for: 'kv-heads-slider' }, 'KV heads', this.#slider),
      ),
      this.#listbox,
      el(
        'ul',
        { class: 'legend' },
        this.#queryHeads,
        this.#kvHeadsLegend,
        el('li', { class: 'reads' }, 'reads, once per token'),
      ),
      this.#sentence,
    ];
    for (const [kvHeads, input] of this.#pills)
      input.addEventListener('change', () => {
        this.#show(kvHeads);
        onChoose(kvHeads);
      });
    this.#slider.addEventListener('input', () => this.#show(this.#slid()));
    this.#slider.addEventListener('change', () => onChoose(this.#slid()));
    this.#listbox.addEventListener('click', ({ target }) => this.#choose(kvHeadAt(target)));
    this.#listbox.addEventListener('keydown', (event) => this.#key(event));
    this.#show(grouped);
  }

  #slid(): number {
    return this.#choices[Number(this.#slider.value)]!;
  }

  #show(kvHeads: number): void {
    this.#kvHeads = kvHeads;
    this.#chosen = undefined;
    const text = plural(kvHeads, 'KV head');
    this.#slider.value = String(this.#choices.indexOf(kvHeads));
    this.#slider.setAttribute('aria-valuetext', text);
    this.#queryHeads.textContent = plural(this.#heads, 'query head');
    this.#kvHeadsLegend.textContent = text;
    for (const [each, input] of this.#pills) input.checked = each === kvHeads;
    this.#draw();
  }

  /** A head again, or none: nothing is chosen any more. */
  #choose(kvHead: number | undefined): void {
    this.#chosen = kvHead === this.#chosen ? undefined : kvHead;
    this.#draw();
  }

  #draw(): void {
    const sharing: Sharing = { heads: this.#heads, kvHeads: this.#kvHeads };
    this.#listbox.replaceChildren(drawHeads(sharing, this.#chosen));
    if (this.#chosen === undefined) this.#listbox.removeAttribute('aria-activedescendant');
    else this.#listbox.setAttribute('aria-activedescendant', `${KV_ID}${this.#chosen}`);
    this.#sentence.textContent =
      this.#chosen === undefined ? sharingText(sharing) : kvHeadText(sharing, this.#chosen);
  }

  #key(event: KeyboardEvent): void {
    const to = this.#keyed(event.key);
    if (to === null) return;
    event.preventDefault();
    this.#chosen = to;
    this.#draw();
  }

  /** The KV head that a key leads to; undefined for none, null for a key that is not for this. */
  #keyed(key: string): number | undefined | null {
    const last = this.#kvHeads - 1;
    const at = this.#chosen;
    if (key === 'Escape') return undefined;
    if (key === 'Home') return 0;
    if (key === 'End') return last;
    if (key === 'ArrowRight' || key === 'ArrowDown') return at === undefined ? 0 : Math.min(last, at + 1);
    if (key === 'ArrowLeft' || key === 'ArrowUp') return at === undefined ? last : Math.max(0, at - 1);
    return null;
  }
}
