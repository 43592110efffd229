// train.ts: `gqa train`, a small model from a text.
import { basename } from 'node:path';
import { Option, type Command } from 'commander';
import { version } from '../../package.json';
import { taking } from '../../src/node/command/completionValues.ts';
import { interruptible } from '../../src/node/command/interrupt.ts';
import { openNode } from '../../src/node/command/openNode.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { planTraining } from '../../src/train/allocation.ts';
import { CONFIG_DTYPES, readState, writeTexts, type SavedType } from '../../src/train/disk/trainingFolder.ts';
import { initialParameters } from '../../src/train/initialWeights.ts';
import { newModel, type ModelSizes, type NewModel } from '../../src/train/newModel.ts';
import { layOut } from '../../src/train/parameters.ts';
import { RATES, TRAINING_SIZES, type TrainingSizeName } from '../../src/train/sizes.ts';
import { Trainer, type TrainerArgs, type TrainingState } from '../../src/train/trainer.ts';
import { countOption } from '../model/modelOptions.ts';
import {
  checkFolder,
  checkRoom,
  heldOutOf,
  memoryLine,
  noteAdapter,
  refuseOptions,
  savedRun,
  storedAs,
  type SavedRun,
} from './folder.ts';
import { runTraining, saveCheckpoint, type Checkpoints } from './training.ts';
import { trainingOptions, type TrainingFlags } from './trainOptions.ts';
import { trainJson, trainText } from './trainReport.ts';
import { GENERATED, newText, type NewText, type TextFlags } from './trainText.ts';

interface TrainFlags extends TrainingFlags, TextFlags {
  readonly size: TrainingSizeName;
  readonly layers?: number;
  readonly dim?: number;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly feedForward?: number;
  readonly steps?: number;
}

/** Adds the `train` command. */
export function registerTrain(program: Command): void {
  const command = program
    .command('train')
    .description('train a small model on a text, in WGSL: a checkpoint in Hugging Face form')
    .addHelpText('after', HELP)
    .action((flags: TrainFlags) => runTrain(command, flags));
  for (const option of [...OPTIONS, ...trainingOptions()]) command.addOption(option);
}

const OPTIONS: readonly Option[] = [
  new Option('--size <name>', 'model and training, unless options say otherwise')
    .choices(Object.keys(TRAINING_SIZES))
    .default('small'),
  countOption('--layers <n>', 'layers'),
  countOption('--dim <n>', 'elements of a hidden state'),
  countOption('--heads <n>', 'query heads'),
  countOption('--kv-heads <n>', 'KV heads; default: as many as query heads'),
  countOption('--feed-forward <n>', "elements of the feed-forward network's inside; default: twice the dim"),
  countOption('--steps <n>', 'steps to take'),
  new Option('--tokens <file>', 'a JSON list of tokens, in place of a text').conflicts(['text', 'tokenizer']),
  taking(
    new Option('--tokenizer <folder>', "read the text by a folder's tokenizer.json, not by characters"),
    {
      paths: 'folders',
    },
  ),
];

const HELP = `
The model is a Llama whose tokens are the characters of the text, or those of --tokenizer; without --text it learns stories that are made up.
Sizes: ${Object.entries(TRAINING_SIZES)
  .map(([name, { layers, dim, heads, context, batch, steps }]) => {
    return `${name} (${layers} x ${dim}, ${heads} heads, ${steps} steps of ${batch} x ${context} tokens)`;
  })
  .join(', ')}.
Losses are in nats a token (natural logarithm).

Examples:
  gqa train --text book.txt --layers 1 --dim 32 --context 16 --steps 20 --out ./mine

What was interrupted goes on with --resume and the same --out, --text, --tokens and --tokenizer.`;

/** What a state says of a training. */
interface TrainRun extends SavedRun {
  readonly kind: 'train';
  readonly model: ModelSizes;
}

async function runTrain(command: Command, flags: TrainFlags): Promise<void> {
  const output = command.configureOutput();
  const note = (line: string) => output.writeErr?.(`${line}\n`);
  if (flags.resume) refuseOptions(command);
  await checkFolder(flags.out, flags.resume === true);
  const saved = flags.resume ? await readState(flags.out) : undefined;
  const text = await newText(flags, saved ? heldOutOf(saved.run) : flags.heldOut);
  const run = saved
    ? storedAs(savedRun<TrainRun>(flags.out, saved.run, 'train', text.hash), flags.saveType)
    : runOf(flags, text);
  const model = newModel(run.model, text.vocabSize, run.options.context);
  await checkRoom(flags.out, layOut(model.spec), run.saveType, saved !== undefined);
  const { found, device } = await openNode(flags, note);
  const progress = new Progress();
  try {
    noteAdapter(saved?.run, found.adapterName, note);
    note(memoryLine(planTraining(model.spec, { ...run.options, learns: true }, device.facts)));
    const trainer = await Trainer.create(device, argsOf(model, text, run, saved?.state), run.options);
    try {
      await interruptible('what was trained is saved', async (signal) => {
        progress.until(signal);
        const checkpoints = checkpointsOf(model, text, { ...run, adapter: found.adapterName }, flags);
        const save = () => saveCheckpoint(trainer, checkpoints);
        const result = await runTraining({ trainer, progress, signal, saveEvery: flags.saveEvery, save });
        progress.end();
        const trained = { result, options: run.options, found, text: text.source, folder: flags.out };
        output.writeOut?.(flags.output === 'json' ? trainJson(trained) : trainText(trained));
      });
    } finally {
      trainer.destroy();
    }
  } finally {
    progress.end();
    device.destroy();
  }
}

function runOf(flags: TrainFlags, { hash }: NewText): TrainRun {
  const size = TRAINING_SIZES[flags.size];
  const { layers = size.layers, dim = size.dim, heads = size.heads, kvHeads = heads } = flags;
  const { batch = size.batch, context = size.context, steps = size.steps } = flags;
  const { lr: rate = RATES.train, schedule, warmup, weightDecay, clip, seed, heldOut, windows } = flags;
  return {
    kind: 'train',
    model: { layers, dim, heads, kvHeads, feedForward: flags.feedForward ?? 2 * dim },
    options: { batch, context, steps, rate, schedule, warmup, weightDecay, clip, seed, windows },
    heldOut,
    saveType: flags.saveType ?? 'f32',
    text: hash,
  };
}

function argsOf(
  model: NewModel,
  { parts }: NewText,
  { options }: TrainRun,
  state: TrainingState | undefined,
): TrainerArgs {
  const parameters = state?.parameters ?? initialParameters(model.spec, options.seed);
  return { spec: model.spec, text: parts, parameters, ...(state && { state }) };
}

function filesOf({ config }: NewModel, { files }: NewText, saveType: SavedType): Record<string, string> {
  return {
    ...files,
    'config.json': `${JSON.stringify({ ...config, torch_dtype: CONFIG_DTYPES[saveType] }, null, 2)}\n`,
  };
}

function checkpointsOf(model: NewModel, text: NewText, run: TrainRun, flags: TrainFlags): Checkpoints {
  const { spec, tensors } = model;
  const folder = flags.out;
  return {
    folder,
    type: run.saveType,
    layout: layOut(spec),
    shapes: { tensor: (name) => tensors.get(name) },
    run: { ...run },
    writeBeside: () => writeTexts(folder, filesOf(model, text, run.saveType)),
    metadata: (step) => ({
      'gqa.tool': `gqa-webgpu ${version}`,
      'gqa.train_steps': String(step),
      'gqa.command': commandOf(run, text, flags),
      'gqa.train': JSON.stringify({ ...run.model, ...run.options }),
      'gqa.text': text.source,
      'gqa.text_sha256': text.hash,
    }),
  };
}

/** The command that makes this checkpoint, with every option that its weights depend on. */
function commandOf(
  { model, options, heldOut, saveType }: TrainRun,
  { source }: NewText,
  { tokens, tokenizer }: TextFlags,
): string {
  const { layers, dim, heads, kvHeads, feedForward } = model;
  const { batch, context, steps, rate, schedule, warmup, weightDecay, clip, seed } = options;
  const given = {
    layers,
    dim,
    heads,
    'kv-heads': kvHeads,
    'feed-forward': feedForward,
    batch,
    context,
    steps,
    lr: rate,
    schedule,
    warmup,
    'weight-decay': weightDecay,
    clip,
    'held-out': heldOut,
    seed,
    'save-type': saveType,
  };
  const words = Object.entries(given).map(([name, value]) => `--${name} ${value}`);
  const from = source === GENERATED ? [] : [`--${tokens === undefined ? 'text' : 'tokens'} ${source}`];
  const by = tokenizer === undefined ? [] : [`--tokenizer ${basename(tokenizer)}`];
  return ['gqa train', ...from, ...by, ...words].join(' ');
}
