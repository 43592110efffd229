// reproduce.ts: `gqa reproduce`, the GQA paper's figures 4, 5 and 6 on this device, at a size that it trains in minutes.
import { Argument, Option, type Command } from 'commander';
import { reproduceOptions, type ReproduceOptions } from '../../bench/reproduce/options.ts';
import { originalSize } from '../../bench/reproduce/original.ts';
import { reproduceReport } from '../../bench/reproduce/report.ts';
import { HELD_OUT, reproduce, STORIES_SOURCE } from '../../bench/reproduce/run.ts';
import { METHODS, type Method } from '../../src/checkpoint/convert/plan.ts';
import { openModelFolder } from '../../src/checkpoint/convert/disk/modelFolder.ts';
import { openModel } from '../../src/checkpoint/model/disk/openModel.ts';
import { taking } from '../../src/node/command/completionValues.ts';
import { interruptible } from '../../src/node/command/interrupt.ts';
import { openNode, adapterOptions, type AdapterOptions } from '../../src/node/command/openNode.ts';
import { formatOption, listOption, MAX_COUNT } from '../../src/node/command/options.ts';
import { checkOutputOption, exportJson, outputPath } from '../../src/node/command/outputOption.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { wholeNumbers } from '../../src/node/command/usage.ts';
import { runtimeContext } from '../../src/node/runtimeContext.ts';
import { GqaError, ShapeError } from '../../src/device/errors.ts';
import { trainedOn } from '../../src/train/disk/uptrainSource.ts';
import { trainedAs } from '../../src/train/trainedAs.ts';
import { TRAINING_SIZES, type TrainingSizeName } from '../../src/train/sizes.ts';
import { countOption, realNumber } from '../model/modelOptions.ts';
import { GENERATED, newText, tokenizedText } from './trainText.ts';

interface ReproduceFlags extends AdapterOptions {
  readonly text?: string;
  readonly size?: TrainingSizeName;
  readonly seeds?: readonly number[];
  readonly alphas?: readonly number[];
  readonly kvHeads?: readonly number[];
  readonly methods?: readonly Method[];
  readonly windows?: number;
  readonly times: boolean;
  readonly exportJson?: string;
  readonly output: 'md' | 'json';
}

/** Adds the `reproduce` command. */
export function registerReproduce(program: Command): void {
  const command = program
    .command('reproduce')
    .addArgument(
      taking(new Argument('[folder]', 'a multi-head model that gqa train has trained'), { paths: 'files' }),
    )
    .description("the GQA paper's figures 4, 5 and 6: a small model trained, converted and trained on, here")
    .addHelpText('after', HELP)
    .action((folder: string | undefined, flags: ReproduceFlags) => runReproduce(command, folder, flags));
  for (const option of OPTIONS) command.addOption(option);
}

const OPTIONS: readonly Option[] = [
  new Option(
    '--size <name>',
    'of the model and its training; default: what the adapter trains in minutes',
  ).choices(Object.keys(TRAINING_SIZES)),
  new Option('--text <file>', 'text to train on, UTF-8'),
  new Option('--seeds <list>', 'trainings that figures are means of; default: 1,2').argParser(
    (text: string) => wholeNumbers(text, 0, 2 ** 31),
  ),
  new Option('--alphas <list>', 'shares of the original steps; default: 0,0.01,0.02,0.05,0.1').argParser(
    (text: string) => text.split(',').map((part) => realNumber(part, 0, 1)),
  ),
  new Option('--kv-heads <list>', 'KV heads; default: all divisors').argParser((text: string) =>
    wholeNumbers(text, 1, MAX_COUNT),
  ),
  listOption('--methods <list>', `how heads are merged; default: ${METHODS.join(',')}`, METHODS),
  countOption('--windows <n>', 'contexts of the held-out text to measure losses on, evenly spread').default(
    128,
  ),
  new Option('--no-times', 'leave out figure 6, the time of decode steps'),
  new Option('--export-json <file>', 'also write the result').argParser(outputPath),
  formatOption(),
  ...adapterOptions(),
];

const HELP = `
Figure 4: losses by method of conversion; 5: by alpha, the share of the original steps that are trained further; 6: time by KV heads.
With a folder its model is converted and trained on, at the sizes that its metadata names; without, a new one is trained first.
Without --text the text is made up and seeded, so that the same command gives the same losses on the same device. Losses are in nats a token.

Examples:
  gqa reproduce --size tiny --seeds 1 --alphas 0.05 --methods mean,first,random --no-times`;

async function runReproduce(
  command: Command,
  folder: string | undefined,
  flags: ReproduceFlags,
): Promise<void> {
  const output = command.configureOutput();
  if (folder !== undefined && flags.size !== undefined)
    throw new GqaError('usage', `--size: ${folder} has sizes of its own; leave it out`);
  if (flags.exportJson !== undefined) await checkOutputOption('--export-json', flags.exportJson);
  const progress = new Progress();
  const given = await (folder === undefined ? newGiven(flags.text) : folderGiven(folder, flags.text));
  const { found, device } = await openNode(flags, (line) => output.writeErr?.(`${line}\n`));
  try {
    const { text: _, ...wanted } = flags;
    const options = reproduceOptions({ ...wanted, ...given }, device.facts);
    checkHeads(options);
    const host = { context: { ...runtimeContext(found), nonStandard: {} }, adapter: found.adapterName };
    await interruptible('finished seeds are kept', async (signal) => {
      progress.until(signal);
      const onProgress = (text: string, share: number) => progress.show(text, share);
      const result = await reproduce(device, options, host, { signal, onProgress });
      progress.end();
      if (flags.exportJson !== undefined) await exportJson(flags.exportJson, result);
      output.writeOut?.(
        flags.output === 'json' ? `${JSON.stringify(result, null, 2)}\n` : reproduceReport(result),
      );
    });
  } finally {
    progress.end();
    device.destroy();
  }
}

/** Throws before a model is trained that could not be converted. */
function checkHeads({ size, original, kvHeads }: ReproduceOptions): void {
  const { heads } = original?.size ?? TRAINING_SIZES[size];
  const bad = kvHeads.find((count) => heads % count > 0);
  if (bad === undefined) return;
  const whose = original?.name ?? `size ${size}`;
  throw new ShapeError(`--kv-heads: expected divisors of the ${heads} heads of ${whose}, got ${bad}`);
}

/** What a run learns, and where it begins. */
type Given = Pick<ReproduceOptions, 'original' | 'text'>;

/** A new model, and a text in its characters: the file, or made-up stories, which need not be said. */
async function newGiven(path: string | undefined): Promise<Given> {
  if (path === undefined) return {};
  return { text: await newText({ text: path }, HELD_OUT) };
}

/** A folder's model, and a text in its tokens. */
async function folderGiven(folder: string, path: string | undefined): Promise<Given> {
  if (path === undefined && (await trainedOn(folder)) !== GENERATED)
    throw new GqaError('usage', 'expected --text FILE, got none');
  const { config, shards, name } = await openModelFolder(folder);
  const model = await openModel(folder);
  await model.close();
  const { spec } = model;
  const size = originalSize(name, spec, trainedAs(shards[0]!.header.metadata, config));
  const { parts, source } = await tokenizedText(path, folder, HELD_OUT);
  return {
    original: { name, size, open: (heads) => openModel(folder, heads) },
    text: { parts, vocabSize: spec.vocabSize, source: path === undefined ? STORIES_SOURCE : source },
  };
}
