// bench.ts: `gqa bench`, the main job: MHA, GQA and MQA side by side on this device, every row checked before it is timed.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { csvReport } from '../../bench/report/csvReport.ts';
import { RANGES_HELP } from '../../bench/report/kvRanges.ts';
import { markdownReport } from '../../bench/report/report.ts';
import { parseFeatures } from '../../bench/run/variations.ts';
import { BENCH_FEATURES, type BenchFeature } from '../../bench/schema/benchFeatures.ts';
import { CACHE_STATES, spectrum } from '../../bench/run/rows.ts';
import { STANDARD_DEPTHS, STANDARD_RUN } from '../../bench/run/standardRun.ts';
import { runBench } from '../../bench/run/run.ts';
import type { BenchOptions } from '../../bench/run/options.ts';
import { SAMPLING_MS } from '../../bench/run/sampling.ts';
import { DECODE_KERNELS } from '../../src/decode/planContext.ts';
import { PAGE_SIZES } from '../../src/cache/pagePool.ts';
import { MAX_Q_LEN } from '../../src/kernels/shape.ts';
import { ShapeError } from '../../src/device/errors.ts';
import { quietWait } from '../../src/node/quiet.ts';
import type { NodeGpu } from '../../src/node/adapters.ts';
import type { BenchFlags } from './benchFlags.ts';
import { putOut } from './benchOutput.ts';
import { nonStandard } from './nonStandard.ts';
import { interruptible } from '../../src/node/command/interrupt.ts';
import { methodOption, weightTypeOption } from '../model/modelOptions.ts';
import { refuseOfWhole, runWholeBench, wholeOption } from './whole.ts';
import { loadShape } from '../kv/loadShape.ts';
import { adapterOptions, openNode } from '../../src/node/command/openNode.ts';
import {
  cacheTypeLists,
  DEFAULT_COMMAND,
  depthOption,
  formatOption,
  listOption,
  MAX_COUNT,
  modelOption,
  seedOption,
} from '../../src/node/command/options.ts';
import { checkOutputOption, outputPath } from '../../src/node/command/outputOption.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { lastLevelCache, runtimeContext } from '../../src/node/runtimeContext.ts';
import { readTuning, tuningPath } from '../../src/node/tuningFile.ts';
import { tokenCount, wholeNumber, wholeNumbers } from '../../src/node/command/usage.ts';

/** Adds the `bench` command. Results go to the program's `writeOut`, progress and warnings to stderr. */
export function registerBench(program: Command): void {
  const bench = program
    .command(DEFAULT_COMMAND, { isDefault: true })
    .description(
      'time MHA, GQA and MQA decode attention on this device, each row checked first (default command)',
    )
    .addHelpText('after', EXAMPLES)
    .action((flags: BenchFlags) =>
      flags.whole === undefined ? run(bench, flags) : runWholeBench(bench, flags),
    );
  for (const option of [...OPTIONS, ...adapterOptions()]) bench.addOption(option);
}

const OPTIONS: readonly Option[] = [
  modelOption('shape of a preset (gqa kv --list), a config.json or a folder with one').default(
    STANDARD_RUN.model,
  ),
  wholeOption(),
  methodOption(),
  weightTypeOption(),
  new Option('--heads <n>', "query heads, instead of the model's").argParser(count),
  new Option('--kv-heads <list>', "KV heads: 32,16,8,4,2,1; default: all, the model's, one").argParser(
    counts,
  ),
  new Option('--head-dim <n>', "head dim, instead of the model's").argParser(count),
  depthOption(),
  new Option('--capacity <n>', 'token slots allocated, as 4096 or 4k; default: the depth').argParser(
    (text: string) => tokenCount(text, 1, MAX_COUNT),
  ),
  new Option('-b, --batch <list>', 'sequences (llama-bench uses -b for something else)')
    .argParser(counts)
    .default(STANDARD_RUN.batches, '1'),
  ...cacheTypeLists(),
  listOption('--kernel <list>', `auto, or kernels to race: ${DECODE_KERNELS.join(',')}`, [
    'auto',
    ...DECODE_KERNELS,
  ]).default(STANDARD_RUN.kernels, 'auto'),
  new Option('--requests <list>', 'batches of unequal requests instead of -b and -d: 8q1s4k,2q1s32k_30q1s512')
    .argParser((text) => text.split(','))
    .conflicts(['batch', 'depth']),
  new Option(
    '-p, --prompt <list>',
    'prompts of so many tokens, in tokens/s; decode steps too where -d is given',
  )
    .argParser((text) => wholeNumbers(text, 2, MAX_Q_LEN))
    .conflicts(['requests']),
  new Option('--page-size <list>', 'tokens of a page, 0 for none: 0,16 gives what pages cost').argParser(
    pageSizes,
  ),
  new Option('--window <list>', 'keys that a query sees, 0 for all: 0,1024').argParser((text) =>
    wholeNumbers(text, 0, MAX_COUNT),
  ),
  new Option(
    '--shared-prefix <list>',
    'tokens that all sequences of a batch have in common: a cascade beside the plain step; 0 for none',
  )
    .argParser((text) => wholeNumbers(text, 0, MAX_COUNT))
    .conflicts(['prompt', 'window', 'features']),
  new Option(
    '--features <list>',
    `none and some of ${BENCH_FEATURES.join(',')}, or several joined by +`,
  ).argParser(features),
  listOption(
    '--cache <list>',
    'cold: copies of the caches in turn; hot: one again and again; or both',
    CACHE_STATES,
  ).default(STANDARD_RUN.caches, 'cold'),
  new Option('--no-tuning', 'ignore what gqa tune found on this device'),
  new Option('-r, --reps <n>', 'samples per row; default: until settled').argParser(count),
  new Option(
    '--max-time <s>',
    `most seconds of sampling per depth; default: ${SAMPLING_MS.row / 1000} for each of its rows, at most ${SAMPLING_MS.most / 1000}`,
  ).argParser(count),
  seedOption(),
  new Option('--check', 'hold every row against a float64 reference first').default(STANDARD_RUN.check),
  new Option('--no-check', 'do not'),
  new Option('--label <text>', 'your name for this machine, kept in the result'),
  formatOption(
    ['md', 'json', 'jsonl', 'csv'],
    'what goes to stdout; jsonl and csv row by row as they finish',
  ),
  new Option('--export-json <file>', 'also write the whole result, samples included, to a file').argParser(
    outputPath,
  ),
];

const EXAMPLES = `
${RANGES_HELP}

Examples:
  gqa bench                                          the standard run
  gqa bench -m qwen3-4b -d '1024-65536*4'            another model, a sweep over depths
  gqa bench --heads 32 --kv-heads 32,16,8,4,2,1 --head-dim 128 -d 8192
  gqa bench --kernel auto,plain -ctk f16,int8,int4   race kernels and cache types
  gqa bench --page-size 0,16 --window 0,1024 --features none,softcap,alibi+bias   what each costs
  gqa bench --features none,tree,rope,qk-norm        a tree beside its step of 4 positions, the others with an append
  gqa bench -p 512,2048                              prompts
  gqa bench --whole smollm2-135m --kv-heads 9,3,1     a whole model's step and its parts, random weights
  gqa bench --whole ./smollm -d 64                   the same of a checkpoint, its heads merged in memory
  gqa bench --whole ./smollm -p 64                   prompts through it
  gqa bench -o json > run.json

Ctrl-C ends a run early: rows that are finished are printed and exported, marked as partial; once more ends at once.
Environment: GQA_LLC_MIB is the size of the last-level cache that cold rows have to exceed twice, in MiB (default: of this
processor, for a software adapter); GQA_TUNING the file of gqa tune.`;

function count(text: string): number {
  return wholeNumber(text, 1, MAX_COUNT);
}

function counts(text: string): number[] {
  return wholeNumbers(text, 1, MAX_COUNT);
}

function pageSizes(text: string): number[] {
  const sizes = wholeNumbers(text, 0, MAX_COUNT);
  const bad = sizes.find((size) => size > 0 && !PAGE_SIZES.includes(size));
  if (bad === undefined) return sizes;
  throw new InvalidArgumentError(`expected 0 or ${PAGE_SIZES.join(', ')}, got "${bad}".`);
}

function features(text: string): BenchFeature[][] {
  try {
    return parseFeatures(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

async function run(command: Command, flags: BenchFlags): Promise<void> {
  refuseOfWhole(command);
  const shape = await benchShape(flags);
  if (flags.exportJson) await checkOutputOption('--export-json', flags.exportJson);
  const progress = new Progress();
  const { found, device } = await openNode(flags, (line) => progress.line(line));
  try {
    const { software } = device.facts;
    const standard = flags.prompt ? [] : STANDARD_DEPTHS[software ? 'software' : 'gpu'];
    const depths = flags.depth ?? standard;
    if (software && !flags.depth && !flags.requests && !flags.prompt) {
      progress.line(
        `note     on a software adapter the standard run shrinks to depths ${depths.join(', ')} (a GPU gets ${STANDARD_DEPTHS.gpu.join(', ')})`,
      );
    }
    const options = benchOptions(flags, shape, depths, found);
    await interruptible('ending the run, finished rows are kept', (signal) => {
      progress.until(signal);
      return putOut(runBench(device, { ...options, signal }), REPORTS, { command, flags, progress });
    });
  } finally {
    progress.end();
    device.destroy();
  }
}

/** Name, query heads, KV heads and head dim from the flags, or from the model where they are silent. */
async function benchShape(flags: BenchFlags) {
  const byHand = flags.heads !== undefined && flags.headDim !== undefined;
  const model = await loadShape(flags.model);
  const heads = flags.heads ?? model.numQHeads;
  const headDim = flags.headDim ?? model.headDim;
  const fromModel = heads === model.numQHeads ? spectrum(heads, model.numKvHeads) : spectrum(heads, heads);
  const kvHeads = flags.kvHeads ?? fromModel;
  const bad = kvHeads.find((kv) => heads % kv !== 0);
  if (bad !== undefined)
    throw new ShapeError(`bench: heads (${heads}) must be a multiple of kv-heads (${bad})`);
  return { model: byHand ? 'custom' : model.name, heads, headDim, kvHeads };
}

function benchOptions(
  flags: BenchFlags,
  shape: Awaited<ReturnType<typeof benchShape>>,
  depths: readonly number[],
  found: NodeGpu,
): BenchOptions {
  return {
    ...shape,
    depths,
    ...(flags.capacity && { capacity: flags.capacity }),
    batches: flags.batch,
    kTypes: flags.cacheTypeK,
    vTypes: flags.cacheTypeV ?? flags.cacheTypeK,
    ...(flags.requests && { requests: flags.requests }),
    ...(flags.prompt && { prompts: flags.prompt }),
    ...(flags.pageSize && { pageSizes: flags.pageSize }),
    ...(flags.window && { windows: flags.window }),
    ...(flags.sharedPrefix && { sharedPrefixes: flags.sharedPrefix }),
    ...(flags.features && { features: flags.features }),
    caches: flags.cache,
    kernels: [...new Set(flags.kernel)],
    ...(flags.tuning && tuningOf()),
    ...lastLevelCache(found.software),
    seed: flags.seed,
    check: flags.check,
    ...(flags.reps && { reps: flags.reps }),
    ...(flags.maxTime && { maxTimeMs: flags.maxTime * 1000 }),
    quiet: quietWait,
    context: {
      ...runtimeContext(found),
      ...(flags.label && { label: flags.label }),
      nonStandard: nonStandard(flags),
    },
  };
}

function tuningOf(): Pick<BenchOptions, 'tuning' | 'tuningSource'> {
  const path = tuningPath();
  return { tuning: readTuning(), ...(path !== undefined && { tuningSource: path }) };
}

const REPORTS = { md: markdownReport, csv: csvReport };
