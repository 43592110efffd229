// form.ts: the form of what is measured. It stands for the address: each change is written there, under the command's names.
import { PRESETS } from '../../src/models/presets.ts';
import { KV_TYPES } from '../../src/index.ts';
import { byId, el } from '../shell/dom.ts';
import { effortOf, effortParams, type EffortName } from './efforts.ts';
import { PARAMS } from './params.ts';
import { addressParams, readSettings, withParams, type PageSettings } from './settings.ts';

/** Parameters that have a field of their own. */
const FIELDS = {
  model: 'Model',
  'kv-heads': 'KV heads',
  depth: 'Context',
  batch: 'Batch',
  'cache-type-k': 'Cache type',
} as const;

type FieldName = keyof typeof FIELDS;

/** What is of no use beside another value of a parameter. */
const CLEARED: Readonly<Partial<Record<FieldName, readonly string[]>>> = {
  model: ['heads', 'head-dim', 'kv-heads'],
  depth: ['requests', 'prompt'],
  batch: ['requests'],
  'cache-type-k': ['cache-type-v'],
};

/** Attributes of a field whose value cannot be. */
const BAD = [
  ['aria-invalid', 'true'],
  ['aria-describedby', 'faults'],
] as const;

/** The form of a device's settings. */
export class SettingsForm {
  readonly #software: boolean;
  readonly #onChange: (settings: PageSettings) => void;
  #settings: PageSettings;

  /** Reads the address. */
  constructor(software: boolean, onChange: (settings: PageSettings) => void) {
    this.#software = software;
    this.#onChange = onChange;
    this.#settings = readSettings(location.search, software);
    byId('set-model').append(...PRESETS.map(({ name }) => el('option', { value: name }, name)));
    byId('set-cache-type-k').append(...KV_TYPES.map((type) => el('option', { value: type }, type)));
    const form = byId('settings', HTMLFormElement);
    form.addEventListener('submit', (event) => event.preventDefault());
    form.addEventListener('change', ({ target }) => {
      if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) this.#change(target);
    });
    this.#show();
  }

  /** As the address has them now. */
  get settings(): PageSettings {
    return this.#settings;
  }

  /** While something runs, its settings stay. */
  set disabled(disabled: boolean) {
    for (const field of byId('settings', HTMLFormElement).elements)
      if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.disabled = disabled;
  }

  #change({ name, value }: HTMLInputElement | HTMLSelectElement): void {
    if (name === 'effort') return this.#write(effortParams(value as EffortName, this.#software));
    const cleared = (CLEARED[name as FieldName] ?? []).map((param) => [param, undefined]);
    this.#write({ ...Object.fromEntries(cleared), [name]: value.trim() || undefined });
  }

  /** Writes parameters to the address; one that changes nothing is left out of it. */
  #write(params: Readonly<Record<string, string | undefined>>): void {
    let query = withParams(location.search, params);
    const { changes, faults } = readSettings(query, this.#software);
    const idle = Object.keys(params).filter(
      (name) => ![...changes, ...faults].some(({ param }) => param === name),
    );
    query = withParams(query, Object.fromEntries(idle.map((name) => [name, undefined])));
    history.replaceState(null, '', `${location.pathname}${query}${location.hash}`);
    this.#settings = readSettings(query, this.#software);
    this.#show();
    this.#onChange(this.#settings);
  }

  #show(): void {
    const { run, faults } = this.#settings;
    const given = addressParams(location.search);
    for (const name of Object.keys(FIELDS) as FieldName[]) {
      const isBad = faults.some(({ param }) => param === name);
      const field = byId(`set-${name}`);
      const value = isBad ? given.get(name)! : PARAMS[name]!.show(run);
      if (field instanceof HTMLSelectElement) choose(field, value);
      if (field instanceof HTMLInputElement) field.value = value;
      for (const [attribute, mark] of BAD)
        if (isBad) field.setAttribute(attribute, mark);
        else field.removeAttribute(attribute);
    }
    const effort = faults.length > 0 ? undefined : effortOf(run, this.#software);
    for (const radio of byId('set-effort').querySelectorAll('input')) radio.checked = radio.value === effort;
    byId('faults').replaceChildren(...faults.map(({ param, text }) => el('li', {}, faultText(param, text))));
  }
}

/** Chooses a value of a select; one that it does not have (a list, another shape) becomes one of its own. */
function choose(select: HTMLSelectElement, value: string): void {
  select.querySelector('[data-other]')?.remove();
  if (![...select.options].some((option) => option.value === value))
    select.append(el('option', { value, 'data-other': '' }, value));
  select.value = value;
}

/** "Context (depth): expected ..."; a parameter without a field by its name. */
function faultText(param: string | undefined, text: string): string {
  if (param === undefined) return text;
  const title = FIELDS[param as FieldName] as string | undefined;
  return `${title === undefined ? param : `${title} (${param})`}${text.startsWith('is ') ? ' ' : ': '}${text}`;
}
