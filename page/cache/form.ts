// form.ts: the fields of the calculator: what is typed, and what is wrong with it, beside the field.
import { KV_TYPES } from '../../src/index.ts';
import { isPreset, PRESETS } from '../../src/models/presets.ts';
import { byId, el } from '../shell/dom.ts';
import type { KvField, KvTexts } from './settings.ts';

const IDS: Readonly<Record<KvField, string>> = {
  model: 'kv-model',
  depth: 'kv-depth',
  batch: 'kv-batch',
  typeK: 'kv-type-k',
  typeV: 'kv-type-v',
  memory: 'kv-memory',
  gbps: 'kv-gbps',
};

const FIELDS = Object.keys(IDS) as KvField[];

type Input = HTMLInputElement | HTMLSelectElement;

const inputOf = (field: KvField) => byId(IDS[field]) as Input;

/** Fills in the choices and the texts; a model that is no preset is a choice of its own, to be said what is wrong with it. */
export function fillForm(texts: KvTexts): void {
  const options = (names: readonly string[]) => names.map((name) => el('option', {}, name));
  inputOf('typeK').replaceChildren(...options(withGiven(KV_TYPES, texts.typeK)));
  inputOf('typeV').replaceChildren(
    el('option', { value: '' }, 'the same as K'),
    ...options(texts.typeV === '' ? KV_TYPES : withGiven(KV_TYPES, texts.typeV)),
  );
  inputOf('model').replaceChildren(...options(PRESETS.map(({ name }) => name)));
  for (const field of FIELDS) inputOf(field).value = texts[field];
  showModel(texts.model);
}

function withGiven(known: readonly string[], given: string): readonly string[] {
  return known.includes(given) ? known : [given, ...known];
}

/** Shows a model as chosen: a preset, or the name of a file before them. */
export function showModel(name: string): void {
  const select = inputOf('model');
  const known = isPreset(name) ? name.toLowerCase() : name;
  select.querySelector('[data-file]')?.remove();
  if (!isPreset(name)) select.prepend(el('option', { 'data-file': '', value: name }, name));
  select.value = known;
}

/** What stands in the fields. */
export function formTexts(): KvTexts {
  return Object.fromEntries(FIELDS.map((field) => [field, inputOf(field).value])) as KvTexts;
}

/** Says beside each field what is wrong with it; nothing where nothing is. */
export function showFaults(faults: Readonly<Partial<Record<KvField, string>>>): void {
  for (const field of FIELDS) {
    const fault = faults[field];
    byId(`${IDS[field]}-fault`).textContent = fault ?? '';
    if (fault === undefined) inputOf(field).removeAttribute('aria-invalid');
    else inputOf(field).setAttribute('aria-invalid', 'true');
  }
}
