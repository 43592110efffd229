// form.ts: the form of a model: which variants, which prompt, how tokens are chosen.
import type { Variant } from '../../bench/model/variants.ts';
import { byId, el } from '../dom.ts';
import type { GenerateRequest, ModelFacts, VariantFacts } from './protocol.ts';
import { headsText, memoryText, originText } from './words.ts';
import { formatBytes } from '../../bench/text/format.ts';

const prompt = () => byId('model-prompt', HTMLTextAreaElement);
const ids = () => byId('model-ids', HTMLInputElement);

/** Fills the form for a model: its variants, and text or ids as it takes them. */
export function showForm({ variants, plannedTokens, tokenizer }: ModelFacts): void {
  byId('model-planned').textContent = `Memory for ${plannedTokens.toLocaleString('en')} tokens`;
  byId('model-variants').replaceChildren(
    ...variants.map((facts) => variantRow(facts, isPreset(facts, variants))),
  );
  const takesText = tokenizer === 'usable';
  for (const [input, isOn] of [
    [prompt(), takesText],
    [ids(), !takesText],
  ] as const) {
    input.disabled = !isOn;
    input.closest('label')!.hidden = !isOn;
  }
}

/** The model's own number of KV heads and one, where they can be had. */
function isPreset({ variant, fault }: VariantFacts, all: readonly VariantFacts[]): boolean {
  return fault === undefined && (variant === all[0]!.variant || variant.kvHeads === 1);
}

function variantRow(facts: VariantFacts, checked: boolean): HTMLElement {
  const { variant, memory, fault } = facts;
  const box = el('input', { type: 'checkbox', name: 'kv-heads', value: `${variant.kvHeads}` });
  box.checked = checked;
  box.disabled = fault !== undefined;
  const name = el('label', {}, box, el('span', {}, headsText(variant), el('small', {}, originText(variant))));
  const perToken = memory ? formatBytes(memory.kvPerToken) : '–';
  return el(
    'tr',
    fault === undefined ? {} : { class: 'refused' },
    el('th', { scope: 'row' }, name),
    el('td', {}, perToken),
    el('td', {}, memoryText(facts)),
  );
}

/** The variants that are ticked. */
function chosen({ variants }: ModelFacts): Variant[] {
  const boxes = byId('model-variants').querySelectorAll('input');
  return variants.flatMap(({ variant }, i) => (boxes[i]!.checked ? [variant] : []));
}

/** Why the form cannot be sent, shown at the variants by the browser. */
export function checkVariants(facts: ModelFacts): void {
  const first = byId('model-variants').querySelector<HTMLInputElement>('input:enabled');
  first?.setCustomValidity(chosen(facts).length > 0 ? '' : 'Choose a number of KV heads.');
}

/** What a valid form asks for. */
export function readForm(facts: ModelFacts): Omit<GenerateRequest, 'folder'> {
  const number = (id: string) => byId(id, HTMLInputElement).valueAsNumber;
  return {
    prompt: ids().disabled ? prompt().value : ids().value.split(',').map(Number),
    options: {
      maxTokens: number('model-max-tokens'),
      temperature: number('model-temperature'),
      topK: number('model-top-k'),
      topP: number('model-top-p'),
      seed: number('model-seed'),
    },
    variants: chosen(facts),
  };
}
