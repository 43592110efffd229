// settings.ts: what a reader may choose in the lab: read from the form's text, and as the command that does the same. No DOM.
import { METHODS, type Method } from '../../src/checkpoint/convert/plan.ts';
import { ALPHAS } from '../../bench/reproduce/options.ts';
import type { TrainingSizeName } from '../../src/train/sizes.ts';
import { STORIES_PATH } from '../shell/storiesName.ts';

/** Where a run begins: at the project's own checkpoint, or at random weights. */
export type Way = 'quick' | 'scratch';

/** What a way is shown with at first. */
export interface WayDefaults {
  readonly methods: readonly Method[];
  readonly alphas: readonly number[];
  readonly seeds: readonly number[];
  /** Contexts of the held-out text that losses are measured on. */
  readonly windows: number;
  readonly times: boolean;
}

/** A CPU takes a tenth of a second and more for what a GPU does in milliseconds. */
export function defaultsOf(way: Way, software: boolean): WayDefaults {
  if (way === 'quick')
    return {
      methods: ['mean', 'pca'],
      alphas: [0, software ? 0.005 : 0.05],
      seeds: [1],
      windows: software ? 32 : 128,
      times: false,
    };
  const same = { windows: 128, times: true };
  if (software) return { methods: ['mean', 'first', 'random'], alphas: [0, 0.05], seeds: [1], ...same };
  return { methods: METHODS, alphas: ALPHAS, seeds: [1, 2], ...same };
}

/** Numbers with commas between them, none twice; undefined where one is none of `isRight`. */
export function numberList(text: string, isRight: (value: number) => boolean): number[] | undefined {
  const parts = text.split(',').map((part) => part.trim());
  const values = parts.map(Number);
  if (parts.includes('') || !values.every(isRight)) return undefined;
  return new Set(values).size === values.length ? values : undefined;
}

/** Shares of the original steps: 0 is the conversion alone. */
export function alphaList(text: string): number[] | undefined {
  return numberList(text, (value) => value >= 0 && value <= 1)?.toSorted((a, b) => a - b);
}

/** Whole numbers that weights and batches are drawn by. */
export function seedList(text: string): number[] | undefined {
  return numberList(text, (value) => Number.isInteger(value) && value >= 0 && value <= 2 ** 31);
}

/** What a run is, in words that the command line has too. */
export interface RunSettings {
  readonly way: Way;
  readonly size: TrainingSizeName;
  readonly kvHeads: readonly number[];
  readonly methods: readonly Method[];
  readonly alphas: readonly number[];
  readonly seeds: readonly number[];
  readonly windows: number;
  readonly times: boolean;
  /** The reader's text file, if it is not made-up stories. */
  readonly textName?: string;
}

/** The command that trains the same, to the same result. */
export function commandOf(settings: RunSettings): string {
  const { way, size, kvHeads, methods, alphas, seeds, windows, times, textName } = settings;
  const parts = [
    'gqa reproduce',
    way === 'quick' ? STORIES_PATH : `--size ${size}`,
    ...(textName === undefined ? [] : [`--text ${quoted(textName)}`]),
    `--kv-heads ${kvHeads.join(',')}`,
    `--methods ${methods.join(',')}`,
    `--alphas ${alphas.join(',')}`,
    `--seeds ${seeds.join(',')}`,
    `--windows ${windows}`,
    ...(times ? [] : ['--no-times']),
    '--export-json lab.json',
  ];
  return parts.join(' ');
}

function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", String.raw`'\''`)}'`;
}
