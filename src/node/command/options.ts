// options.ts: options that several subcommands have, each with one meaning, one spelling and one default.
import { DEFAULT_SEED } from '../../numbers/random.ts';
import { Option } from 'commander';
import { KV_TYPES } from '../../numbers/elements.ts';
import { PRESETS } from '../../models/presets.ts';
import { taking, type Values } from './completionValues.ts';
import { choiceList, tokenCounts, wholeNumber } from './usage.ts';

/** The command that runs where none is named. */
export const DEFAULT_COMMAND = 'bench';

/** llama-bench has short options of three letters, which commander would take apart. */
export const SHORT_NAMES: Readonly<Record<string, string>> = {
  '-ctk': '--cache-type-k',
  '-ctv': '--cache-type-v',
};

/** Most of anything that is allocated or timed: tokens, sequences, heads. */
export const MAX_COUNT = 2 ** 24;

/** `-d, --depth`: tokens in the cache, a list. `note` says what else there is to know in this command. */
export function depthOption(note = '', max = MAX_COUNT): Option {
  return new Option('-d, --depth <list>', `tokens in the cache: 1024,4k or '1k-64k*4'${note}`).argParser(
    (text: string) => tokenCounts(text, 1, max),
  );
}

/** The stored types that `cacheTypeOptions` parse to. */
export interface CacheTypes<T> {
  readonly cacheTypeK: T;
  /** Undefined where it is that of K. */
  readonly cacheTypeV?: T;
}

/** `--cache-type-k` and `--cache-type-v` for one type each; V follows K. */
export function cacheTypeOptions(): Option[] {
  return [
    new Option('--cache-type-k <type>', 'stored type of K (-ctk)').choices(KV_TYPES).default('f16'),
    new Option('--cache-type-v <type>', FOLLOWS_K).choices(KV_TYPES),
  ];
}

/** The same for lists of types. Two lists of several types are pairs. */
export function cacheTypeLists(): Option[] {
  return [
    listOption('--cache-type-k <list>', `stored type of K (-ctk): ${KV_TYPES.join(',')}`, KV_TYPES).default(
      ['f16'],
      'f16',
    ),
    listOption('--cache-type-v <list>', `${FOLLOWS_K}; two lists are pairs`, KV_TYPES),
  ];
}

const FOLLOWS_K = 'stored type of V (-ctv); default: that of K';

/** An option that takes a comma list of words from a fixed set. */
export function listOption(flags: string, description: string, words: readonly string[]): Option {
  const option = new Option(flags, description).argParser((text: string) => choiceList(text, words));
  return taking(option, { words, list: true });
}

/** `-m, --model`: where a shape comes from. */
export function modelOption(description: string): Option {
  return taking(new Option('-m, --model <name>', description), MODEL_VALUES);
}

/** What `loadShape` takes. */
export const MODEL_VALUES: Values = { words: PRESETS.map(({ name }) => name), paths: 'files' };

/** `--seed`, of whatever is random in the command. */
export function seedOption(what = 'of the random input'): Option {
  return new Option('--seed <n>', what)
    .argParser((text: string) => wholeNumber(text, 0, 2 ** 32 - 1))
    .default(DEFAULT_SEED);
}

/** `-o, --output`: the format of what goes to stdout, in every command. */
export function formatOption(
  choices: readonly string[] = ['md', 'json'],
  what = 'what goes to stdout',
): Option {
  return new Option('-o, --output <format>', what).choices(choices).default('md');
}
