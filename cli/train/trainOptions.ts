// trainOptions.ts: the options that `gqa train` and `gqa uptrain` share.
import { InvalidArgumentError, Option } from 'commander';
import { SAVED_TYPES, type SavedType } from '../../src/train/disk/trainingFolder.ts';
import { SCHEDULES, type Schedule } from '../../src/train/schedule.ts';
import { adapterOptions, type AdapterOptions } from '../../src/node/command/openNode.ts';
import { taking } from '../../src/node/command/completionValues.ts';
import { formatOption, seedOption } from '../../src/node/command/options.ts';
import { countOption, realNumber } from '../model/modelOptions.ts';

/** What they parse to. */
export interface TrainingFlags extends AdapterOptions {
  readonly text?: string;
  readonly batch?: number;
  readonly context?: number;
  readonly lr?: number;
  readonly schedule: Schedule;
  readonly warmup: number;
  readonly weightDecay: number;
  readonly clip: number;
  readonly heldOut: number;
  readonly windows: number;
  readonly seed: number;
  readonly saveEvery?: number;
  readonly saveType?: SavedType;
  readonly resume?: true;
  readonly out: string;
  readonly output: 'md' | 'json';
}

/** Options of the text, of the optimiser, and of what is written. */
export function trainingOptions(): Option[] {
  return [
    new Option('--text <file>', 'text to train on, UTF-8'),
    countOption('-b, --batch <n>', 'sequences in a step'),
    countOption('--context <n>', 'tokens of a sequence'),
    new Option('--lr <x>', 'peak of the learning rate').argParser((text: string) => above(text, 0)),
    new Option('--schedule <name>', 'of the learning rate: down to a tenth, or as it is')
      .choices(SCHEDULES)
      .default('cosine'),
    new Option('--warmup <x>', 'share of the steps in which the learning rate rises')
      .argParser((text: string) => below(text, 1))
      .default(0.1),
    new Option('--weight-decay <x>', "AdamW's, of matrices alone")
      .argParser((text: string) => realNumber(text, 0, 10))
      .default(0.05),
    new Option('--clip <x>', 'greatest norm of the gradients; 0: any')
      .argParser((text: string) => realNumber(text, 0, 1e9))
      .default(1),
    new Option('--held-out <x>', 'share of the text, from its end, that the loss is measured on')
      .argParser((text: string) => below(text, 1))
      .default(0.1),
    countOption('--windows <n>', 'contexts of that share to measure it on, evenly spread').default(128),
    seedOption('of the weights and the batches'),
    countOption('--save-every <n>', 'steps between checkpoints; default: at the end alone, and at Ctrl-C'),
    new Option('--save-type <type>', "stored type of the weights; default: the checkpoint's, or f32").choices(
      SAVED_TYPES,
    ),
    new Option(
      '--resume',
      'go on from the state in --out, with the options that it was begun with; --save-type may change',
    ),
    taking(new Option('--out <folder>', 'model folder to write').makeOptionMandatory(), { paths: 'folders' }),
    formatOption(['md', 'json'], 'a table, or everything as JSON'),
    ...adapterOptions(),
  ];
}

function above(text: string, least: number): number {
  const value = realNumber(text, least, 1e9);
  if (value === least) throw new InvalidArgumentError(`expected a number above ${least}, got "${text}".`);
  return value;
}

function below(text: string, most: number): number {
  const value = realNumber(text, 0, most);
  if (value === most)
    throw new InvalidArgumentError(`expected a number from 0 to less than ${most}, got "${text}".`);
  return value;
}
