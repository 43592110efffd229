// tune.ts: `gqa tune`, finds the fastest variant and split for shapes on this device and keeps it for the other commands.
import { STANDARD_RUN } from '../bench/run/standardRun.ts';
import { Option, type Command } from 'commander';
import { formatSignificant, markdownTable, type Column } from '../bench/text/format.ts';
import { spectrum, typePairs } from '../bench/run/rows.ts';
import { workloadsAt, tune, type Trial, type Tuned } from '../bench/tune/tune.ts';
import { withEntry } from '../src/decode/tuning.ts';
import type { GqaDevice } from '../src/device/gqaDevice.ts';
import { typesName, type KvType } from '../src/numbers/elements.ts';
import { quietWait } from '../src/node/quiet.ts';
import { collectGarbage } from '../src/node/collect.ts';
import { interruptible } from '../src/node/command/interrupt.ts';
import { loadShape } from './kv/loadShape.ts';
import { adapterOptions, openNode, type AdapterOptions } from '../src/node/command/openNode.ts';
import {
  cacheTypeLists,
  depthOption,
  formatOption,
  MAX_COUNT,
  modelOption,
  seedOption,
  type CacheTypes,
} from '../src/node/command/options.ts';
import { Progress } from '../src/node/command/progress.ts';
import { reportError } from '../src/node/command/reportError.ts';
import { lastLevelCache } from '../src/node/runtimeContext.ts';
import { checkTuningWritable, readTuning, tuningPath, writeTuning } from '../src/node/tuningFile.ts';
import { wholeNumber, wholeNumbers } from '../src/node/command/usage.ts';

interface TuneFlags extends AdapterOptions, CacheTypes<readonly KvType[]> {
  readonly model: string;
  readonly kvHeads?: readonly number[];
  readonly depth?: readonly number[];
  readonly batch: number;
  readonly seed: number;
  readonly output: 'md' | 'json';
}

/** Adds the `tune` command. Results go to the program's `writeOut` and to the tuning file, progress to stderr. */
export function registerTune(program: Command): void {
  const command = program
    .command('tune')
    .description('find the fastest kernel variant for shapes on this device; bench and attend then use it')
    .addHelpText('after', help)
    .action((flags: TuneFlags) => run(command, flags));
  for (const option of [...OPTIONS, ...adapterOptions()]) command.addOption(option);
}

const OPTIONS: readonly Option[] = [
  modelOption('shape of a preset, a config.json or a folder with one').default(STANDARD_RUN.model),
  new Option('--kv-heads <list>', "KV heads; default: all, the model's, one").argParser(counts),
  depthOption('; the times at all of them count alike'),
  new Option('-b, --batch <n>', 'sequences').argParser(count).default(1),
  ...cacheTypeLists(),
  seedOption(),
  formatOption(),
];

const help = () => `
Every variant is checked against a float64 reference before it is timed, and timed in turn with the best so far. What wins is
kept per device and class of shapes in a file, which gqa bench and gqa attend read: ${tuningPath() ?? 'none here, without a home folder'}
(gqa-webgpu/tuning.json in XDG_CACHE_HOME, else in ~/.cache; GQA_TUNING names another). Without it the kernels take
sizes that suit the kind of adapter.

Examples:
  gqa tune                                    MHA, GQA-8 and MQA of llama-3.1-8b, caches of f16
  gqa tune -m qwen3-4b -ctk f16,int8 -d 1024,32768`;

/** Depths that a search weighs, on a GPU and on a software adapter, which needs seconds for each shader. */
const DEPTHS = { gpu: [4096, 32768], software: [512] };

function count(text: string): number {
  return wholeNumber(text, 1, MAX_COUNT);
}

function counts(text: string): number[] {
  return wholeNumbers(text, 1, MAX_COUNT);
}

async function run(command: Command, flags: TuneFlags): Promise<void> {
  const model = await loadShape(flags.model);
  await checkTuningWritable();
  readTuning(); // a file that cannot be read now cannot be added to in the end
  const kvHeads = flags.kvHeads ?? spectrum(model.numQHeads, model.numKvHeads);
  const shapes = typePairs(flags.cacheTypeK, flags.cacheTypeV).flatMap((types) =>
    kvHeads.map((numKvHeads): TunedShape => ({ ...model, numKvHeads, ...types })),
  );
  const progress = new Progress();
  const { device } = await openNode(flags, (line) => progress.line(line));
  const found: Tuned[] = [];
  try {
    await interruptible('ending the search, classes of shapes that are finished are kept', async (signal) => {
      progress.until(signal);
      for (const [index, shape] of shapes.entries()) {
        const show = (text: string, share: number) =>
          progress.show(`${shapeText(shape)}: ${text}`, (index + share) / shapes.length);
        found.push(await search({ device, show, signal }, flags, shape));
      }
      progress.done();
    });
  } catch (error) {
    if (found.length === 0) throw error;
    progress.end();
    process.exitCode = reportError(error);
  } finally {
    progress.end();
    device.destroy();
  }
  const text = flags.output === 'json' ? JSON.stringify(found, null, 2) : found.map(report).join('\n\n');
  command.configureOutput().writeOut?.(`${text}\n`);
}

interface SearchPlace {
  readonly device: GqaDevice;
  /** Shows what is tried, and how much of the search is done. */
  readonly show: (text: string, share: number) => void;
  readonly signal: AbortSignal;
}

interface TunedShape {
  readonly name: string;
  readonly numQHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly kType: KvType;
  readonly vType: KvType;
}

/** `32/8 f16`, `32/8 f16/int8`. */
function shapeText({ numQHeads, numKvHeads, ...types }: TunedShape): string {
  return `${numQHeads}/${numKvHeads} ${typesName(types)}`;
}

async function search(
  { device, show, signal }: SearchPlace,
  flags: TuneFlags,
  shape: TunedShape,
): Promise<Tuned> {
  const { software } = device.facts;
  const workloads = workloadsAt(
    {
      model: shape.name,
      heads: shape.numQHeads,
      kvHeads: shape.numKvHeads,
      headDim: shape.headDim,
      batch: flags.batch,
      kType: shape.kType,
      vType: shape.vType,
    },
    flags.depth ?? DEPTHS[software ? 'software' : 'gpu'],
  );
  const host = { quiet: quietWait, collect: collectGarbage, ...lastLevelCache(software) };
  show('preparing', 0);
  const trials = tune(device, { workloads, seed: flags.seed, signal, onTry: show, ...host });
  for (;;) {
    const { value, done } = await trials.next();
    if (done) {
      // After each class: what was found is kept when a later one fails or is interrupted.
      await writeTuning(withEntry(readTuning(), value.device, value.shape, value.entry));
      return value;
    }
  }
}

const COLUMNS: readonly Column[] = [
  { title: 'variant', align: 'left' },
  { title: 'time vs default', align: 'right' },
  { title: '', align: 'left' },
];

function report({ shape, ratio, trials, entry, device }: Tuned): string {
  const rows = trials.map((trial) => [
    trial.name,
    timeCell(trial),
    trial.taken ? 'taken' : (trial.error ?? ''),
  ]);
  const speed = formatSignificant(1 / ratio, 3);
  return [
    `${shape} on ${device}`,
    '',
    markdownTable(COLUMNS, rows),
    '',
    `best: ${entry.variant.template}, ${speed}× as fast as without tuning; kept in ${tuningPath()}`,
  ].join('\n');
}

function timeCell({ ratio }: Trial): string {
  return ratio === undefined ? '' : `${formatSignificant(ratio, 3)}×`;
}
