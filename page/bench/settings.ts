// settings.ts: what the page runs: the standard run, changed by the parameters of its address.
import { GqaError } from '../../src/index.ts';
import { findPreset } from '../../src/models/presets.ts';
import { rowGroups, spectrum } from '../../bench/run/rows.ts';
import { STANDARD_DEPTHS, STANDARD_RUN } from '../../bench/run/standardRun.ts';
import { checkKvParam, KV_PARAMS } from '../cache/settings.ts';
import { CHECK_PARAMS, checkCheckParam } from '../check/settings.ts';
import { checkModelParam, MODEL_PARAMS } from '../model/settings.ts';
import { PARAMS, readFlag, type Given, type RunSettings } from './params.ts';

/** A parameter that is not as in the standard run; values as text, for the table on the page. */
export interface Change {
  readonly param: string;
  readonly value: string;
  readonly standard: string;
}

/** What is wrong with an address; `param` is the parameter that it speaks of, where there is one. */
export interface Fault {
  readonly param?: string;
  readonly text: string;
}

/** A page address, read. With any fault nothing may run. */
export interface PageSettings {
  readonly run: RunSettings;
  /** Start without a click. */
  readonly autostart: boolean;
  /** The name of this machine, where the address gives one. */
  readonly label?: string;
  readonly changes: readonly Change[];
  readonly faults: readonly Fault[];
}

/** What links get on their way through mail, messengers and search engines; it says nothing to this page. */
const TRACKERS =
  /^(utm_.*|mc_.*|_ga|_gl|fbclid|gclid|gbraid|wbraid|dclid|msclkid|yclid|twclid|ttclid|li_fat_id|igsh|igshid|si|ref|ref_src|ref_url|source)$/;

/** Parameters of other tabs, and what throws GqaError for a value that one may not have. */
const OTHERS: ReadonlyMap<string, (name: string, value: string) => void> = new Map([
  ...MODEL_PARAMS.map((name) => [name, checkModelParam] as const),
  ...KV_PARAMS.map((name) => [name, checkKvParam] as const),
  ...CHECK_PARAMS.map((name) => [name, checkCheckParam] as const),
]);

const OWN = ['run', 'label'];

/** Reads the query part of a page address ("?depth=512&run") for a device. Never throws: what is wrong is in `faults`. */
export function readSettings(query: string, software: boolean): PageSettings {
  const given: Given = {};
  const own: { autostart: boolean; label?: string } = { autostart: false };
  const faults: Fault[] = [];
  const attempt = (act: () => void, param?: string) => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof GqaError)) throw error;
      faults.push({ ...(param !== undefined && { param }), text: error.message });
    }
  };
  const params = addressParams(query);
  for (const name of new Set(params.keys())) {
    if (TRACKERS.test(name)) continue;
    attempt(() => {
      if (params.getAll(name).length > 1) throw new GqaError('usage', 'is given more than once');
      const text = params.get(name)!;
      if (name === 'run') own.autostart = readFlag(text);
      else if (name === 'label') own.label = text;
      else if (Object.hasOwn(PARAMS, name)) PARAMS[name]!.read(given, text);
      else if (OTHERS.has(name)) OTHERS.get(name)!(name, text);
      else throw new GqaError('usage', `is not known; known are ${KNOWN}`);
    }, name);
  }
  const run = complete(given, software);
  if (faults.length === 0) attempt(() => rowGroups(run));
  return { run, ...own, changes: changesOf(standardRun(software), run), faults };
}

const KNOWN = [...Object.keys(PARAMS), ...OWN, ...OTHERS.keys()].join(', ');

/** What runs at a bare address. */
export function standardRun(software: boolean): RunSettings {
  return { ...STANDARD_RUN, depths: STANDARD_DEPTHS[software ? 'software' : 'gpu'], tuning: true };
}

/** Fills in what the address left out; defaults of one parameter may hang on another, as on the command line. */
function complete(given: Given, software: boolean): RunSettings {
  const standard = standardRun(software);
  const { model = findPreset(standard.model), ...rest } = given;
  const { heads = model.numQHeads, headDim = model.headDim, kTypes = standard.kTypes } = given;
  const isModel = heads === model.numQHeads && headDim === model.headDim;
  // Prompts take the place of decode steps unless depths are given too.
  const depths = given.prompts ? [] : standard.depths;
  return {
    ...standard,
    depths,
    vTypes: kTypes,
    kvHeads: spectrum(heads, heads === model.numQHeads ? model.numKvHeads : heads),
    ...rest,
    model: isModel ? model.name : 'custom',
    heads,
    headDim,
  };
}

function changesOf(standard: RunSettings, run: RunSettings): Change[] {
  // Another shape than the model's is said by its sizes.
  const params = Object.entries(PARAMS).filter(([param]) => param !== 'model' || run.model !== 'custom');
  return params
    .map(([param, { show }]) => ({ param, value: show(run), standard: show(standard) }))
    .filter(({ value, standard: usual }) => value !== usual);
}

/** The parameters of an address, in which a plus is a plus: `depth=1k-4k+1k` and `features=alibi+bias` are typed as for the command. */
export function addressParams(query: string): URLSearchParams {
  return new URLSearchParams(query.replaceAll('+', '%2B'));
}

/**
 * The query of an address with these parameters, those that are undefined taken out; others stay as they are. What does as
 * the standard run does is better left out by the caller.
 */
export function withParams(query: string, changed: Readonly<Record<string, string | undefined>>): string {
  const params = addressParams(query);
  for (const [name, value] of Object.entries(changed)) {
    if (value === undefined) params.delete(name);
    else params.set(name, value);
  }
  // As people write it: a parameter without a value has no "=", a list has commas and a range its sign.
  const text = params
    .toString()
    .replaceAll('+', '%20')
    .replaceAll(/=(?=&|$)/g, '')
    .replaceAll('%2B', '+')
    .replaceAll('%2C', ',')
    .replaceAll('%2A', '*');
  return text === '' ? '' : `?${text}`;
}
