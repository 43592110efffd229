// modelOptions.ts: the options of commands that run whole models.
import { InvalidArgumentError, Option } from 'commander';
import { METHODS, type Method } from '../../src/checkpoint/convert/plan.ts';
import { KV_TYPES, type KvType } from '../../src/numbers/elements.ts';
import { adapterOptions, type AdapterOptions } from '../../src/node/command/openNode.ts';
import { cacheTypeOptions, listOption, MAX_COUNT, type CacheTypes } from '../../src/node/command/options.ts';
import { tokenCount, wholeNumber, wholeNumbers } from '../../src/node/command/usage.ts';

/** What they parse to. */
export interface ModelOptions extends CacheTypes<KvType>, AdapterOptions {
  readonly kvHeads?: readonly number[];
  readonly method: readonly Method[];
  readonly weightType?: KvType;
  readonly chunk?: number;
}

/** Options of the model, its weights and its cache. */
export function modelOptions(): Option[] {
  return [
    new Option(
      '--kv-heads <list>',
      'KV heads of the variants to run side by side, merged in memory: 8,4,1',
    ).argParser((text: string) => wholeNumbers(text, 1, MAX_COUNT)),
    methodOption(),
    weightTypeOption(),
    ...cacheTypeOptions(),
    new Option(
      '--chunk <n>',
      'tokens of a prompt that go through the model at once (default: 128)',
    ).argParser((text: string) => wholeNumber(text, 1, 4096)),
    ...adapterOptions(),
  ];
}

/** How KV heads of a checkpoint are merged. */
export function methodOption(): Option {
  const what = `how heads are merged, as gqa convert does: ${METHODS.join(',')}`;
  return listOption('--method <list>', what, METHODS).default(['mean'], 'mean');
}

export function weightTypeOption(): Option {
  const what = "stored type of weights; default: the checkpoint's";
  return new Option('--weight-type <type>', what).choices(KV_TYPES);
}

/** A number of tokens, or of anything, of at least one. */
export function countOption(flags: string, what: string): Option {
  return new Option(flags, what).argParser((text: string) => tokenCount(text, 1, MAX_COUNT));
}

/** A number in a range. */
export function realNumber(text: string, min: number, max = Infinity): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= min && value <= max)) {
    const range = max === Infinity ? `at least ${min}` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`expected a number of ${range}, got "${text}".`);
  }
  return value;
}

/** Ids of tokens: 1,403,407. The same may come twice. */
export function tokenIds(text: string): number[] {
  return text.split(',').map((part) => wholeNumber(part.trim(), 0, 2 ** 32 - 1));
}
