// form.ts: the form of the lab: where a run begins, what it converts to, how far it trains.
import { fewerHeads } from '../../bench/reproduce/options.ts';
import { METHODS, type Method } from '../../src/checkpoint/convert/plan.ts';
import { TRAINING_SIZES, type TrainingSize, type TrainingSizeName } from '../../src/train/sizes.ts';
import { byId, el } from '../shell/dom.ts';
import type { SampleOptions } from './protocol.ts';
import { alphaList, defaultsOf, seedList, type Way } from './settings.ts';
import type { SizePlan } from './plan.ts';
import { memoryText, modelText, trainingText } from './words.ts';

const input = (id: string) => byId(id, HTMLInputElement);

/** What a form asks for; undefined where a list is not one. */
export interface FormValues {
  readonly way: Way;
  readonly size: TrainingSizeName;
  readonly kvHeads: readonly number[];
  readonly methods: readonly Method[];
  readonly alphas: readonly number[] | undefined;
  readonly seeds: readonly number[] | undefined;
  readonly windows: number;
  readonly times: boolean;
  readonly sample: SampleOptions;
}

/** Fills in the sizes, with what each takes here; one that cannot be had cannot be chosen. */
export function showSizes(
  plans: Readonly<Record<TrainingSizeName, SizePlan>>,
  chosen: TrainingSizeName,
): void {
  const rows = (Object.keys(TRAINING_SIZES) as TrainingSizeName[]).map((name) => {
    const size = TRAINING_SIZES[name];
    const plan = plans[name];
    const radio = el('input', { type: 'radio', name: 'size', value: name });
    radio.checked = name === chosen;
    radio.disabled = typeof plan.memory !== 'number';
    const takes = `${plan.parameters.toLocaleString('en')} parameters; ${memoryText(plan)}`;
    return el(
      'label',
      {},
      radio,
      el(
        'span',
        {},
        el('strong', {}, name),
        el('span', {}, `${modelText(size)}; ${trainingText(size)}`),
        el('span', {}, takes),
      ),
    );
  });
  byId('train-size-list').replaceChildren(...rows);
}

/** Sets what a way is shown with at first: for a model of so many heads, on such an adapter. */
export function showDefaults(way: Way, heads: number, software: boolean): void {
  const { methods, alphas, seeds, windows, times } = defaultsOf(way, software);
  showHeads(heads, way === 'quick' ? [2] : fewerHeads(heads));
  tick('train-methods', METHODS, (method) => methods.includes(method));
  input('train-alphas').value = alphas.join(', ');
  input('train-seeds').value = seeds.join(', ');
  input('train-windows').value = String(windows);
  input('train-times').checked = times;
}

/** The numbers of KV heads that a model can be converted to. */
export function showHeads(heads: number, ticked: readonly number[]): void {
  tick('train-kv-heads', fewerHeads(heads), (count) => ticked.includes(count));
}

function tick<T extends string | number>(id: string, values: readonly T[], isTicked: (value: T) => boolean) {
  byId(id).replaceChildren(
    ...values.map((value) => {
      const box = el('input', { type: 'checkbox', value: String(value) });
      box.checked = isTicked(value);
      return el('label', {}, box, String(value));
    }),
  );
}

function ticked(id: string): string[] {
  return [...byId(id).querySelectorAll('input')].filter(({ checked }) => checked).map(({ value }) => value);
}

/** What is chosen. */
export function readForm(): FormValues {
  const radio = (name: string) =>
    byId('train-form').querySelector<HTMLInputElement>(`input[name=${name}]:checked`)?.value;
  return {
    way: radio('way') as Way,
    size: (radio('size') ?? 'tiny') as TrainingSizeName,
    kvHeads: ticked('train-kv-heads').map(Number),
    methods: ticked('train-methods') as Method[],
    alphas: alphaList(input('train-alphas').value),
    seeds: seedList(input('train-seeds').value),
    windows: input('train-windows').valueAsNumber,
    times: input('train-times').checked,
    sample: {
      prompt: input('train-prompt').value,
      characters: input('train-characters').valueAsNumber,
      temperature: input('train-temperature').valueAsNumber,
    },
  };
}

/** Marks what is wrong, where it stands: the browser says it when the form is sent. */
export function checkForm({ kvHeads, methods, alphas, seeds, sample }: FormValues, size: TrainingSize): void {
  const mark = (element: HTMLInputElement, fault: string | undefined) =>
    element.setCustomValidity(fault ?? '');
  const first = (id: string) => byId(id).querySelector('input')!;
  mark(first('train-kv-heads'), kvHeads.length > 0 ? undefined : 'Choose at least one number of KV heads.');
  mark(first('train-methods'), methods.length > 0 ? undefined : 'Choose at least one method.');
  mark(
    input('train-alphas'),
    alphas ? undefined : 'Shares from 0 to 1 with commas between them, none twice: 0, 0.01, 0.05',
  );
  mark(
    input('train-seeds'),
    seeds ? undefined : 'Whole numbers with commas between them, none twice: 1, 2, 3',
  );
  const most = size.context >> 1;
  mark(
    input('train-prompt'),
    Array.from(sample.prompt).length <= most
      ? undefined
      : `At most ${most} characters: the model sees ${size.context} at once.`,
  );
  // What is wrong there has to be seen to be told.
  const details = byId('train-form').querySelector('details')!;
  if (details.querySelector(':invalid')) details.open = true;
}
