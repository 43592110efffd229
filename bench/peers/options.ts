// options.ts: what `npm run bench:peers` takes on its command line, and the shapes it comes to.
import { STANDARD_RUN } from '../run/standardRun.ts';
import { Command, Option } from 'commander';
import { outputPath } from '../../src/node/command/outputOption.ts';
import { choiceList, wholeNumber, wholeNumbers } from '../../src/node/command/usage.ts';
import { checkShape, ShapeError } from '../../src/index.ts';
import { CONTESTANT_WORDS } from './contestants.ts';
import type { PeerShape, PeerType } from './inputs.ts';

/** The parsed options. */
export interface PeerFlags {
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
  maxTime: 15,
  seed: STANDARD_RUN.seed,
} as const;

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
  return program.parse(argv, { from: 'user' }).opts<PeerFlags>();
}

const OPTIONS: readonly Option[] = [
  new Option('--heads <n>', 'query heads').argParser(count).default(STANDARD.heads),
  new Option('--head-dim <n>', 'head dim').argParser(count).default(STANDARD.headDim),
  new Option('--kv-heads <list>', 'KV heads').argParser(counts).default(STANDARD.kvHeads, '32,8,4,1'),
  new Option('-d, --depth <list>', 'tokens in the cache (default: 1024,4096)').argParser(counts),
  new Option(
    '-p, --prompt <list>',
    'prompts of so many tokens; decode steps too where -d is given',
  ).argParser(counts),
  new Option('--types <list>', 'element types of K and V')
    .argParser((text) => choiceList(text, TYPES))
    .default(STANDARD.types, 'f32,f16'),
  new Option('--contestants <list>', 'engines, places (node, chromium) or both: ours,ort-web@node')
    .argParser((text) => choiceList(text, CONTESTANT_WORDS))
    .default(STANDARD.contestants, 'all'),
  new Option('--adapter <name>', "part of an adapter's name, or swiftshader; for the contestants in Node"),
  new Option('--require-gpu', 'refuse software adapters in Node'),
  new Option('-r, --reps <n>', 'samples per row; default: until settled').argParser(count),
  new Option('--max-time <s>', 'most seconds of sampling per shape')
    .argParser(count)
    .default(STANDARD.maxTime),
  new Option('--seed <n>', 'of the random input')
    .argParser((text) => wholeNumber(text, 0, 2 ** 31))
    .default(STANDARD.seed),
  new Option('--label <text>', 'your name for this machine, kept in the result'),
  new Option('-o, --output <format>', 'what goes to stdout').choices(['md', 'json']).default('md'),
  new Option('--export-json <file>', 'also write the whole result, samples included, to a file').argParser(
    outputPath,
  ),
];

const EXAMPLES = `
Contestants: ${CONTESTANT_WORDS.filter((word) => word.includes('@')).join(', ')}

Examples:
  npm run bench:peers                                          the standard run
  npm run bench:peers -- --contestants node --types f16 -d 16384
  npm run bench:peers -- --contestants ours,ort-web --kv-heads 8 --export-json run.json
  npm run bench:peers -- -p 512,2048 --kv-heads 8                prompts
  npm run bench:peers -- --no-install                          with the peers that are there`;

/** The shapes of a run, those with the same type and length together. Throws ShapeError. */
export function shapesOf(flags: PeerFlags): PeerShape[] {
  const { heads, headDim, kvHeads, types, prompt = [] } = flags;
  const { depth = flags.prompt ? [] : STANDARD.depth } = flags;
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
  'maxTime',
  'seed',
] as const;

/** The flags that change what is measured and differ from the standard run, by long name, as text. */
export function nonStandard(flags: PeerFlags): Record<string, string> {
  const standard: Partial<Record<(typeof MEASURING)[number], unknown>> = STANDARD;
  const changed = MEASURING.filter(
    (name) => flags[name] !== undefined && String(flags[name]) !== String(standard[name]),
  );
  const entries = changed.map((name) => [longName(name), String(flags[name])]);
  if (flags.reps !== undefined) entries.push(['reps', String(flags.reps)]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function longName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
