// form.ts: the form of a model: which variants and cache, which prompt, how tokens are chosen.
import type { Variant } from '../../bench/model/variants.ts';
import { byId, el } from '../shell/dom.ts';
import { METHODS, type Method } from '../../src/checkpoint/convert/plan.ts';
import { KV_TYPES, type KvType } from '../../src/index.ts';
import type { GenerateRequest, ModelFacts, VariantPlan } from './protocol.ts';
import type { ModelSettings } from './settings.ts';
import { headsText, memoryText, originText } from './words.ts';
import { generatedText } from '../../src/train/text/generatedText.ts';
import { formatBytes } from '../../bench/text/format.ts';

const prompt = () => byId('model-prompt', HTMLTextAreaElement);
const measured = () => byId('model-measured', HTMLTextAreaElement);
const ids = () => byId('model-ids', HTMLInputElement);

const method = () => byId('model-merge', HTMLSelectElement);
const cacheType = () => byId('model-cache-type', HTMLSelectElement);

/** Stories that this project's own model has not seen: those of another seed than it was trained on. */
const MEASURED = { seed: 2, characters: 1024 };

/** Fills in what may be chosen whatever the model is. */
export function showChoices(settings: ModelSettings): void {
  const options = (names: readonly string[]) => names.map((name) => el('option', {}, name));
  method().replaceChildren(...options(METHODS));
  cacheType().replaceChildren(...options(KV_TYPES));
  method().value = settings.method;
  cacheType().value = settings.cacheType;
  measured().value = generatedText(MEASURED.seed, MEASURED.characters).trim();
}

/** What is chosen of that. */
export function readChoices(): ModelSettings {
  return { method: method().value as Method, cacheType: cacheType().value as KvType };
}

/** What a model's form begins with, with all of its variants. */
export interface Preset {
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperature: number;
}

/** Fills the form for a model: its variants, and text or ids as it takes them. */
export function showForm(facts: ModelFacts, preset?: Preset): void {
  const { variants, plannedTokens, tokenizer } = facts;
  byId('model-planned').textContent = `Memory for ${plannedTokens.toLocaleString('en')} tokens`;
  const isOuter = (variant: Variant) => variant === variants[0]!.variant || variant.kvHeads === 1;
  showVariants(facts, preset ? () => true : isOuter);
  if (preset) {
    prompt().value = preset.prompt;
    for (const [field, value] of Object.entries({
      'max-tokens': preset.maxTokens,
      temperature: preset.temperature,
    }))
      byId(`model-${field}`, HTMLInputElement).value = String(value);
  }
  const takesText = tokenizer === 'usable';
  for (const [input, isOn] of [
    [prompt(), takesText],
    [measured(), takesText],
    [ids(), !takesText],
  ] as const) {
    input.disabled = !isOn;
    input.closest('label')!.hidden = !isOn;
  }
}

/** Shows variants as they are with the method and cache chosen; those are ticked that `isTicked` and can be had. */
function showVariants({ variants }: ModelFacts, isTicked: (variant: Variant) => boolean): void {
  const settings = readChoices();
  byId('model-variants').replaceChildren(
    ...variants.map(({ variant, plans }) =>
      variantRow(withMethod(variant, settings), plans[settings.cacheType], isTicked(variant)),
    ),
  );
}

/** The same with another method or cache, ticks as they were. */
export function updateVariants(facts: ModelFacts): void {
  const ticked = chosen(facts).map(({ kvHeads }) => kvHeads);
  showVariants(facts, ({ kvHeads }) => ticked.includes(kvHeads));
}

function withMethod(variant: Variant, settings: ModelSettings): Variant {
  return variant.method === undefined ? variant : { ...variant, method: settings.method };
}

function variantRow(variant: Variant, plan: VariantPlan, isTicked: boolean): HTMLElement {
  const { memory, fault } = plan;
  const box = el('input', { type: 'checkbox', name: 'kv-heads', value: `${variant.kvHeads}` });
  box.checked = isTicked && fault === undefined;
  box.disabled = fault !== undefined;
  const name = el('label', {}, box, el('span', {}, headsText(variant), el('small', {}, originText(variant))));
  const perToken = memory ? formatBytes(memory.kvPerToken) : '–';
  return el(
    'tr',
    fault === undefined ? {} : { class: 'refused' },
    el('th', { scope: 'row' }, name),
    el('td', {}, perToken),
    el('td', {}, memoryText(plan)),
  );
}

/** The variants that are ticked. */
function chosen({ variants }: ModelFacts): Variant[] {
  const boxes = byId('model-variants').querySelectorAll('input');
  const settings = readChoices();
  return variants.flatMap(({ variant }, i) => (boxes[i]!.checked ? [withMethod(variant, settings)] : []));
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
    measured: measured().disabled ? '' : measured().value.trim(),
    options: {
      maxTokens: number('model-max-tokens'),
      temperature: number('model-temperature'),
      topK: number('model-top-k'),
      topP: number('model-top-p'),
      seed: number('model-seed'),
    },
    cacheType: readChoices().cacheType,
    variants: chosen(facts),
  };
}
