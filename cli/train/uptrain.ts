// uptrain.ts: `gqa uptrain`, a checkpoint's KV heads merged, and the model trained a little further, as the GQA paper does.
import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import { version } from '../../package.json';
import { headsOf } from '../../bench/model/variants.ts';
import { METHODS } from '../../src/checkpoint/convert/plan.ts';
import { GqaError } from '../../src/device/errors.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { taking } from '../../src/node/command/completionValues.ts';
import { interruptible } from '../../src/node/command/interrupt.ts';
import { openNode } from '../../src/node/command/openNode.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { planTraining } from '../../src/train/allocation.ts';
import { readState } from '../../src/train/disk/trainingFolder.ts';
import {
  conversionMetadata,
  openUptrainSource,
  trainedOn,
  writeBeside,
  type UptrainSource,
} from '../../src/train/disk/uptrainSource.ts';
import { layOut } from '../../src/train/parameters.ts';
import { meanLoss, Trainer, type TrainerOptions, type TrainingState } from '../../src/train/trainer.ts';
import { TrainingModel } from '../../src/train/trainingModel.ts';
import { readParameters } from '../../src/train/weights.ts';
import { countOption, realNumber } from '../model/modelOptions.ts';
import {
  checkFolder,
  checkRoom,
  heldOutOf,
  memoryLine,
  noteAdapter,
  refuseOptions,
  savedRun,
  storedAs,
} from './folder.ts';
import { runTraining, saveCheckpoint, type Checkpoints } from './training.ts';
import { trainingOptions } from './trainOptions.ts';
import { GENERATED, tokenizedText, type TrainingText } from './trainText.ts';
import { uptrainJson, uptrainText, type Uptrained } from './uptrainReport.ts';
import { notePositions, runOf, type UptrainFlags, type UptrainRun } from './uptrainRun.ts';

/** Adds the `uptrain` command. */
export function registerUptrain(program: Command): void {
  const command = program
    .command('uptrain')
    .addArgument(taking(new Argument('<folder>'), { paths: 'files' }))
    .description("merge a checkpoint's KV heads and train it a little further, as the GQA paper does")
    .addHelpText('after', HELP)
    .action((folder: string, flags: UptrainFlags) => runUptrain(command, folder, flags));
  for (const option of [...OPTIONS, ...trainingOptions()]) command.addOption(option);
}

const OPTIONS: readonly Option[] = [
  countOption('--kv-heads <n>', 'KV heads of the result'),
  new Option('--method <name>', 'how heads are merged, as gqa convert does').choices(METHODS).default('mean'),
  new Option('--alpha <x>', 'share of the original steps to train further')
    .argParser((text: string) => shareOfSteps(text))
    .default(0.05),
  countOption(
    '--base-steps <n>',
    "steps of the original training; default: as the checkpoint's metadata says",
  ),
  new Option('--distill', "learn the original model's logits in place of the text's tokens"),
  new Option('--control', 'also train the original for as many steps, and say what comes of it'),
];

const HELP = `
Models: Llama and Mistral without windows, Qwen 2, SmolLM, GPT-2; others are refused by what there are no backward kernels for.
The text is read by the folder's tokenizer.json; a checkpoint of made-up stories, models/stories say, needs none. --schedule constant keeps the learning rate, as the paper does.
With --resume the folder, --text and --out go on from the last checkpoint, with the same bits as if it had not been interrupted.

Examples:
  gqa uptrain ./smollm --kv-heads 1 --base-steps 200 --context 8 --text book.txt --control --out ./mqa`;

function shareOfSteps(text: string): number {
  const value = realNumber(text, 0, 1);
  if (value === 0) throw new InvalidArgumentError(`expected a share above 0 and at most 1, got "${text}".`);
  return value;
}

async function runUptrain(command: Command, path: string, flags: UptrainFlags): Promise<void> {
  const output = command.configureOutput();
  const note = (line: string) => output.writeErr?.(`${line}\n`);
  if (flags.resume) refuseOptions(command);
  await checkFolder(flags.out, flags.resume === true);
  if (flags.text === undefined && (await trainedOn(path)) !== GENERATED)
    throw new GqaError('usage', 'expected --text FILE, got none');
  const saved = flags.resume ? await readState(flags.out) : undefined;
  const text = await tokenizedText(flags.text, path, saved ? heldOutOf(saved.run) : flags.heldOut);
  const earlier = saved && savedRun<UptrainRun>(flags.out, saved.run, 'uptrain', text.hash);
  const { kvHeads, method } = earlier ?? flags;
  if (kvHeads === undefined) throw new GqaError('usage', 'expected --kv-heads N, got none');
  const source = await openUptrainSource(path, headsOf({ kvHeads, method })!);
  try {
    if (earlier && earlier.source !== source.folder.name) {
      throw new GqaError(
        'input',
        `${flags.out}: expected the folder that its training was begun from, ${earlier.source}, got ${source.folder.name}`,
      );
    }
    const run = earlier ? storedAs(earlier, flags.saveType) : runOf(flags, kvHeads, source, text);
    await checkRoom(flags.out, layOut(source.converted.spec), run.saveType, saved !== undefined);
    const { found, device } = await openNode(flags, note);
    const here = { ...run, adapter: found.adapterName };
    const progress = new Progress();
    try {
      const plan = planTraining(source.converted.spec, { ...run.options, learns: true }, device.facts);
      const beside = planTraining(source.original.spec, { ...run.options, learns: false }, device.facts);
      noteAdapter(saved?.run, found.adapterName, note);
      note(memoryLine(plan, beside));
      note(`steps    ${run.options.steps}: ${run.alpha} of ${run.baseSteps}`);
      notePositions(run.options, source, note);
      const done = await interruptible('what was trained is saved', (signal) => {
        progress.until(signal);
        return trainFurther(device, source, text, here, flags, { progress, signal, state: saved?.state });
      });
      progress.end();
      const report = { ...done, run, found, text: text.source, folder: flags.out };
      output.writeOut?.(flags.output === 'json' ? uptrainJson(report) : uptrainText(report));
    } finally {
      progress.end();
      device.destroy();
    }
  } finally {
    await source.close();
  }
}

/** How far an uptraining is, and where it goes on from. */
interface Further {
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly state: TrainingState | undefined;
}

/** Trains the converted model, and what it is compared to. */
async function trainFurther(
  device: GqaDevice,
  source: UptrainSource,
  text: TrainingText,
  run: UptrainRun,
  { out, saveEvery }: UptrainFlags,
  { progress, signal, state }: Further,
): Promise<Pick<Uptrained, 'result' | 'original' | 'control'>> {
  const teacher = await trainingModel(device, source.original, run.options);
  try {
    progress.show('measuring the loss of the original');
    const original = await meanLoss(teacher, text.parts, run.options);
    const args = {
      spec: source.converted.spec,
      text: text.parts,
      parameters: state?.parameters ?? (await parametersOf(source.converted)),
      ...(run.distill && { teacher }),
      ...(state && { state }),
    };
    const trainer = await Trainer.create(device, args, run.options);
    try {
      const save = () => saveCheckpoint(trainer, checkpointsOf(source, text, run, out));
      const result = await runTraining({ trainer, progress, signal, saveEvery, save });
      trainer.destroy(); // the control has its memory
      const control =
        run.control && !signal.aborted
          ? await trainControl(device, source, text, run, { progress, signal })
          : undefined;
      return { result, original, control };
    } finally {
      trainer.destroy();
    }
  } finally {
    teacher.destroy();
  }
}

async function parametersOf(source: ModelSource): Promise<Float32Array<ArrayBuffer>> {
  return readParameters(layOut(source.spec), source);
}

/** A model that is measured and teaches. */
async function trainingModel(
  device: GqaDevice,
  source: ModelSource,
  { batch, context }: TrainerOptions,
): Promise<TrainingModel> {
  return TrainingModel.create(device, source.spec, await parametersOf(source), {
    batch,
    context,
    learns: false,
  });
}

/** The original, trained for as many steps with the same options: its loss on the held-out text. */
async function trainControl(
  device: GqaDevice,
  { original }: UptrainSource,
  text: TrainingText,
  { options }: UptrainRun,
  { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
): Promise<number | undefined> {
  const args = { spec: original.spec, text: text.parts, parameters: await parametersOf(original) };
  const trainer = await Trainer.create(device, args, options);
  try {
    while (trainer.step < options.steps) {
      if (signal.aborted) return undefined;
      await trainer.advance(trainer.step + 10);
      progress.show('training the original for as many steps');
    }
    return await trainer.evaluate();
  } finally {
    trainer.destroy();
  }
}

function checkpointsOf(
  source: UptrainSource,
  text: TrainingText,
  run: UptrainRun,
  folder: string,
): Checkpoints {
  const { alpha, baseSteps, distill, options } = run;
  return {
    folder,
    type: run.saveType,
    layout: layOut(source.converted.spec),
    shapes: source.converted,
    run: { ...run },
    writeBeside: () => writeBeside(source, folder, run.saveType),
    metadata: (step) => ({
      ...conversionMetadata(source, `gqa-webgpu ${version}`),
      'gqa.train_steps': String(baseSteps),
      'gqa.uptrain_steps': String(step),
      'gqa.uptrain': JSON.stringify({ alpha, teacher: distill ? source.folder.name : 'none', ...options }),
      'gqa.text': text.source,
      'gqa.text_sha256': text.hash,
    }),
  };
}
