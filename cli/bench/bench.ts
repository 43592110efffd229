// bench.ts: `gqa bench`, the main job: MHA, GQA and MQA side by side on this device, every row checked before it is timed.
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Ready } from '../../bench/chrome/protocol.ts';
import { runInChrome } from '../../bench/chrome/runInChrome.ts';
import { csvReport } from '../../bench/report/csvReport.ts';
import { RANGES_HELP } from '../../bench/report/kvRanges.ts';
import { markdownReport } from '../../bench/report/report.ts';
import { parseFeatures } from '../../bench/run/variations.ts';
import { BENCH_FEATURES, type BenchFeature } from '../../bench/schema/benchFeatures.ts';
import { CACHE_STATES } from '../../bench/run/rows.ts';
import { STANDARD_RUN } from '../../bench/run/standardRun.ts';
import { runBench } from '../../bench/run/run.ts';
import { SAMPLING_MS } from '../../bench/run/sampling.ts';
import { DECODE_KERNELS } from '../../src/decode/planContext.ts';
import { PAGE_SIZES } from '../../src/cache/pagePool.ts';
import { MAX_Q_LEN } from '../../src/kernels/shape.ts';
import { quietWait } from '../../src/node/quiet.ts';
import type { BenchFlags } from './benchFlags.ts';
import { benchOptions, benchShape } from './benchOptions.ts';
import { putOut } from './benchOutput.ts';
import { browserHost, refuseInBrowser } from './browserHost.ts';
import { interruptible } from '../../src/node/command/interrupt.ts';
import { methodOption, weightTypeOption } from '../model/modelOptions.ts';
import { refuseOfWhole, runWholeBench, wholeOption } from './whole.ts';
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
import { runtimeContext } from '../../src/node/runtimeContext.ts';
import { builtPage } from '../../src/node/page/builtPage.ts';
import { tokenCount, wholeNumber, wholeNumbers } from '../../src/node/command/usage.ts';

/** Adds the `bench` command. Results go to the program's `writeOut`, progress and warnings to stderr. */
export function registerBench(program: Command): void {
  const bench = program
    .command(DEFAULT_COMMAND, { isDefault: true })
    .description(
      'time MHA, GQA and MQA decode attention on this device, each row checked first (default command)',
    )
    .addHelpText('after', EXAMPLES)
    .action((flags: BenchFlags) => {
      if (flags.runtime === 'chrome') return runInBrowser(bench, flags);
      return flags.whole === undefined ? run(bench, flags) : runWholeBench(bench, flags);
    });
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
  new Option('--runtime <name>', 'where to run: node, or a headless Chromium, Chrome or Edge')
    .choices(['node', 'chrome'])
    .default('node'),
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
  gqa bench --runtime chrome                         in an installed Chromium, Chrome or Edge
  gqa bench -o json > run.json

Ctrl-C ends a run early: rows that are finished are printed and exported, marked as partial; once more ends at once.
Environment: GQA_LLC_MIB is the size of the last-level cache that cold rows have to exceed twice, in MiB (default: of this
processor, for a software adapter); GQA_TUNING the file of gqa tune; CHROME_PATH the browser of --runtime chrome.`;

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
    const host = { software: found.software, context: runtimeContext(found) };
    const options = benchOptions(flags, shape, host, (line) => progress.line(line));
    await interruptible(KEPT, (signal) => {
      progress.until(signal);
      const events = runBench(device, { ...options, quiet: quietWait, signal });
      return putOut(events, REPORTS, { command, flags, progress });
    });
  } finally {
    progress.end();
    device.destroy();
  }
}

/** The same in a browser, which has the device. */
async function runInBrowser(command: Command, flags: BenchFlags): Promise<void> {
  refuseInBrowser(command);
  refuseOfWhole(command);
  const shape = await benchShape(flags);
  if (flags.exportJson) await checkOutputOption('--export-json', flags.exportJson);
  const progress = new Progress();
  const say = (line: string) => progress.line(line);
  const folder = builtPage(say);
  try {
    await interruptible(KEPT, (signal) => {
      progress.until(signal);
      progress.show('starting the browser');
      const request = (ready: Ready) => benchOptions(flags, shape, browserHost(ready, flags, say), say);
      return putOut(runInChrome({ folder, request, signal }), REPORTS, { command, flags, progress });
    });
  } finally {
    progress.end();
  }
}

const KEPT = 'ending the run, finished rows are kept';

const REPORTS = { md: markdownReport, csv: csvReport };
