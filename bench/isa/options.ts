// options.ts: what `npm run bench:isa` takes on its command line.
import { Command, InvalidArgumentError, Option } from 'commander';
import { KV_TYPES, MAX_Q_LEN } from '../../src/index.ts';
import { messageOf } from '../../src/device/errors.ts';
import { outputPath } from '../../src/node/command/outputOption.ts';
import { choiceList, wholeNumbers } from '../../src/node/command/usage.ts';
import { KERNELS, parseShapes, SHAPES, type IsaCases } from './cases.ts';
import { FAMILIES } from './families.ts';

/** The parsed options. */
export interface IsaFlags extends IsaCases {
  readonly families: readonly string[];
  readonly mirror: string;
  readonly keep?: string;
  readonly output: 'md' | 'json';
  readonly exportJson?: string;
}

const NAMES = FAMILIES.map(({ name }) => name);

const STANDARD: IsaCases & Pick<IsaFlags, 'families'> = {
  families: NAMES,
  shapes: parseShapes(SHAPES),
  types: KV_TYPES,
  qLens: [1, 4],
  kernels: KERNELS,
};

const OPTIONS: readonly Option[] = [
  new Option('-f, --families <list>', `GPUs: ${NAMES.join(', ')}`)
    .argParser((text) => choiceList(text, NAMES))
    .default(STANDARD.families, 'all'),
  new Option('--shapes <list>', 'query heads, KV heads and head dim, as in 32/8/128,71/1/64')
    .argParser(shapes)
    .default(STANDARD.shapes, 'nine, from MHA to MQA'),
  new Option('--types <list>', 'element types of K and V')
    .argParser((text) => choiceList(text, KV_TYPES))
    .default(STANDARD.types, KV_TYPES.join(',')),
  new Option('--q-lens <list>', 'query positions of a step')
    .argParser((text) => wholeNumbers(text, 1, MAX_Q_LEN))
    .default(STANDARD.qLens, '1,4'),
  new Option(
    '--kernels <list>',
    'auto: what the project chooses; tiles: what a device without subgroups gets',
  )
    .argParser((text) => choiceList(text, KERNELS))
    .default(STANDARD.kernels, 'auto,tiles'),
  new Option('--keep <folder>', 'keep statistics and assembly, a folder for each family'),
  new Option('--mirror <url>', "where Debian's packages are").default('http://deb.debian.org/debian'),
  new Option('-o, --output <format>', 'what goes to stdout').choices(['md', 'json']).default('md'),
  new Option('--export-json <file>', 'also write the whole result to a file').argParser(outputPath),
];

const HELP = `
Compiles only: counts, not times, and Mesa's compilers, not the vendors' own. Runs on Debian and its relatives on x86-64, without
a GPU. The first run fetches Debian 13's Mesa and builds what its packages lack, in the user's cache folder; it installs nothing.
With the packages of bench:peers, a run that has f16 or f32 of 32/8/128 compiles onnxruntime-web's kernels of that step beside ours.

Examples:
  npm run bench:isa                                                  all ten families, some minutes
  npm run bench:isa -- -f tgl,ampere --shapes 32/8/128 --types f16   a look at a change
  npm run bench:isa -- --export-json bench/results/isa.json && npm run readme`;

/** Parses the arguments that follow the script's name. Throws CommanderError for bad usage, after having said it. */
export function parseFlags(argv: readonly string[]): IsaFlags {
  const program = new Command('npm run bench:isa --')
    .description('Compile the default kernels for GPUs that are not there: registers, spills, main loops.')
    .addHelpText('after', HELP)
    .exitOverride();
  for (const option of OPTIONS) program.addOption(option);
  return program.parse(argv, { from: 'user' }).opts<IsaFlags>();
}

function shapes(text: string): IsaCases['shapes'] {
  try {
    return parseShapes(text);
  } catch (error) {
    throw new InvalidArgumentError(`expected heads/KV heads/head dim, as in 32/8/128: ${messageOf(error)}.`);
  }
}

/** The options that differ from the standard run, by long name, as text. */
export function nonStandard({
  families,
  shapes: sizes,
  types,
  qLens,
  kernels,
}: IsaFlags): Record<string, string> {
  const text = (values: IsaCases['shapes']) =>
    values.map(({ heads, kvHeads, headDim }) => `${heads}/${kvHeads}/${headDim}`).join(',');
  const given: Record<string, readonly [string, string]> = {
    families: [String(families), String(STANDARD.families)],
    shapes: [text(sizes), text(STANDARD.shapes)],
    types: [String(types), String(STANDARD.types)],
    'q-lens': [String(qLens), String(STANDARD.qLens)],
    kernels: [String(kernels), String(STANDARD.kernels)],
  };
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, [value, standard]]) => (value === standard ? [] : [[name, value]])),
  );
}
