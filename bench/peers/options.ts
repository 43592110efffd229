// options.ts: what `npm run bench:peers` takes on its command line, and the shapes it comes to.
import { STANDARD_RUN } from '../run/standardRun.ts';
import { Command, Option } from 'commander';
import { outputPath } from '../../src/node/command/outputOption.ts';
import { choiceList, wholeNumber, wholeNumbers } from '../../src/node/command/usage.ts';
import { checkShape, ShapeError } from '../../src/index.ts';
import { TRAINING_SIZES, type TrainingSizeName } from '../../src/train/sizes.ts';
import { attends, CONTESTANT_WORDS, generates, selectContestants, trains } from './contestants.ts';
import type { PeerShape, PeerType } from './inputs.ts';

/** The parsed options. */
export interface PeerFlags {
  /** Whole models, not attention alone. */
  readonly whole?: true;
  /** A tiny model. */
  readonly quick?: true;
  /** Training, not decoding. */
  readonly train?: true;
  /** Of the model that is trained. */
  readonly size: TrainingSizeName;
  readonly heads: number;
  readonly headDim: number;
  readonly kvHeads: readonly number[];
  readonly depth?: readonly number[];
  readonly prompt?: readonly number[];
  readonly types: readonly PeerType[];
  readonly contestants: readonly string[];
  readonly adapter?: string;
  readonly requireGpu?: true;
  readonly reps?: number;
  readonly maxTime: number;
  readonly seed: number;
  readonly label?: string;
  readonly output: 'md' | 'json';
  readonly exportJson?: string;
}

const STANDARD = {
  heads: STANDARD_RUN.heads,
  headDim: STANDARD_RUN.headDim,
  kvHeads: [32, 8, 4, 1],
  depth: [1024, 4096],
  types: ['f32', 'f16'],
  contestants: ['node', 'chromium'],
  size: 'small',
  maxTime: 15,
  seed: STANDARD_RUN.seed,
} as const;

/** Of `--whole`: a Llama of 60 million parameters. */
const STANDARD_WHOLE = {
  ...STANDARD,
  heads: 8,
  headDim: 64,
  kvHeads: [8, 4, 1],
  depth: [256],
  types: ['f16'],
} as const;

/** Of `--whole --quick`. */
const QUICK_WHOLE = { ...STANDARD_WHOLE, heads: 4, kvHeads: [4, 2, 1], depth: [32], maxTime: 3 } as const;

function standardOf({ whole, quick }: Pick<PeerFlags, 'whole' | 'quick'>) {
  if (!whole) return STANDARD;
  return quick ? QUICK_WHOLE : STANDARD_WHOLE;
}

/** The element types that every contestant has, with or without shader-f16. */
const TYPES: readonly PeerType[] = ['f32', 'f16'];

const count = (text: string) => wholeNumber(text, 1, 2 ** 24);
const counts = (text: string) => wholeNumbers(text, 1, 2 ** 24);

/** Parses the arguments that follow the script's name. Throws CommanderError for bad usage, after having said it. */
export function parseFlags(argv: readonly string[]): PeerFlags {
  const program = new Command('bench:peers')
    .description(
      'Time one decode step of this project and of other engines, on the same shapes, data and adapter, in one run.',
    )
    .addHelpText('after', EXAMPLES)
    .exitOverride();
  for (const option of OPTIONS) program.addOption(option);
  const given = program.parse(argv, { from: 'user' }).opts<Pick<PeerFlags, 'whole' | 'quick' | 'output'>>();
  const { depth: _depth, ...standard } = standardOf(given);
  const flags: PeerFlags = { ...standard, ...given };
  const fault = faultOf(flags) ?? trainFault(flags, Object.keys(given));
  if (fault !== undefined) program.error(`error: ${fault}`);
  return flags;
}

/** What options say together that cannot be. */
function faultOf({ whole, train, quick, prompt, contestants }: PeerFlags): string | undefined {
  if (quick && !whole) return '--quick is for --whole';
  if (whole && prompt) return '--whole has decode steps alone, no --prompt';
  const who = selectContestants(contestants);
  if (whole && !who.some(generates)) return '--whole: plain steps are attention alone';
  if (!train && !whole && !who.some(attends)) return 'llama.cpp is for --whole';
  return undefined;
}

/** Options of shapes: a training has a size. */
const SHAPE_OPTIONS = ['whole', 'quick', 'heads', 'headDim', 'kvHeads', 'depth', 'prompt', 'types'];

function trainFault({ train, contestants }: PeerFlags, given: readonly string[]): string | undefined {
  if (!train) return given.includes('size') ? '--size is for --train' : undefined;
  const shape = SHAPE_OPTIONS.find((name) => given.includes(name));
  if (shape !== undefined) return `--train has --size alone, no --${longName(shape)}`;
  if (!selectContestants(contestants).some(trains)) return '--train: only ours@node and jax-js@node train';
  return undefined;
}

const OPTIONS: readonly Option[] = [
  new Option('--whole', 'tokens through a Llama of 60 million random weights, not attention alone'),
  new Option('--quick', 'with --whole: a tiny one'),
  new Option('--train', 'training steps of a small Llama: forward, backward, AdamW'),
  new Option('--size <name>', `with --train: the model (default: ${STANDARD.size})`).choices(
    Object.keys(TRAINING_SIZES),
  ),
  new Option('--heads <n>', `query heads ${defaults('heads')}`).argParser(count),
  new Option('--head-dim <n>', `head dim ${defaults('headDim')}`).argParser(count),
  new Option('--kv-heads <list>', `KV heads ${defaults('kvHeads')}`).argParser(counts),
  new Option('-d, --depth <list>', `tokens in the cache ${defaults('depth')}`).argParser(counts),
  new Option(
    '-p, --prompt <list>',
    'prompts of so many tokens; decode steps too where -d is given',
  ).argParser(counts),
  new Option('--types <list>', `element types of K and V, and of weights ${defaults('types')}`).argParser(
    (text) => choiceList(text, TYPES),
  ),
  new Option(
    '--contestants <list>',
    'engines, places (node, chromium) or both: ours,ort-web@node (default: all)',
  ).argParser((text) => choiceList(text, CONTESTANT_WORDS)),
  new Option('--adapter <name>', "part of an adapter's name, or swiftshader; for the contestants in Node"),
  new Option('--require-gpu', 'refuse software adapters in Node'),
  new Option('-r, --reps <n>', 'samples per row; default: until settled').argParser(count),
  new Option('--max-time <s>', `most seconds of sampling per shape ${defaults('maxTime')}`).argParser(count),
  new Option('--seed <n>', `of the random input (default: ${STANDARD.seed})`).argParser((text) =>
    wholeNumber(text, 0, 2 ** 31),
  ),
  new Option('--label <text>', 'your name for this machine, kept in the result'),
  new Option('-o, --output <format>', 'what goes to stdout').choices(['md', 'json']).default('md'),
  new Option('--export-json <file>', 'also write the whole result, samples included, to a file').argParser(
    outputPath,
  ),
];

/** What an option is where it is not given, and with --whole and --quick. */
function defaults(name: keyof typeof STANDARD): string {
  const [first, whole, quick] = [STANDARD, STANDARD_WHOLE, QUICK_WHOLE].map((each) => String(each[name]));
  return `(default: ${first}; --whole: ${whole}; --quick: ${quick})`;
}

const EXAMPLES = `
Contestants: ${CONTESTANT_WORDS.filter((word) => word.includes('@')).join(', ')}

Examples:
  npm run bench:peers                                          the standard run
  npm run bench:peers -- --contestants node --types f16 -d 16384
  npm run bench:peers -- --contestants ours,ort-web --kv-heads 8 --export-json run.json
  npm run bench:peers -- -p 512,2048 --kv-heads 8                prompts
  npm run bench:peers -- --whole                                 whole models, f16
  npm run bench:peers -- --whole --quick --types f32             a tiny one
  npm run bench:peers -- --train --size tiny                     training steps
  npm run bench:peers -- --no-install                          with the peers that are there`;

/** The shapes of a run, those with the same type and length together. Throws ShapeError. */
export function shapesOf(flags: PeerFlags): PeerShape[] {
  const { heads, headDim, kvHeads, types, prompt = [] } = flags;
  const { depth = flags.prompt ? [] : standardOf(flags).depth } = flags;
  for (const kv of kvHeads) {
    if (heads % kv !== 0)
      throw new ShapeError(`bench:peers: heads (${heads}) must be a multiple of kv-heads (${kv})`);
    checkShape({ numQHeads: heads, numKvHeads: kv, headDim });
  }
  const loads = [...prompt.map((t) => ({ depth: t, prompt: true })), ...depth.map((t) => ({ depth: t }))];
  return types.flatMap((type) =>
    loads.flatMap((load) => kvHeads.map((kv) => ({ heads, kvHeads: kv, headDim, ...load, type }))),
  );
}

const MEASURING = [
  'heads',
  'headDim',
  'kvHeads',
  'depth',
  'prompt',
  'types',
  'contestants',
  'size',
  'maxTime',
  'seed',
] as const;

/** The flags that change what is measured and differ from the standard run, by long name, as text. */
export function nonStandard(flags: PeerFlags): Record<string, string> {
  const standard: Partial<Record<(typeof MEASURING)[number], unknown>> = standardOf(flags);
  const changed = MEASURING.filter(
    (name) => flags[name] !== undefined && String(flags[name]) !== String(standard[name]),
  );
  const entries = changed.map((name) => [longName(name), String(flags[name])]);
  if (flags.quick) entries.push(['quick', 'true']);
  if (flags.reps !== undefined) entries.push(['reps', String(flags.reps)]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function longName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
