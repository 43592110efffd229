// run.ts: the GQA paper's figures 4 to 6 at a small size: for each seed a model is trained, its heads merged, and the results trained on.
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { TRAINING_SIZES } from '../../src/train/sizes.ts';
import { splitTokens } from '../../src/train/text/batches.ts';
import { charVocabulary } from '../../src/train/text/characters.ts';
import { generatedText, STORIES } from '../../src/train/text/generatedText.ts';
import type { RunContext } from '../run/options.ts';
import type { TimerHooks } from '../run/timer.ts';
import type { DecodeTime, ReproducedCurve, ReproduceResult, SeedRun } from '../schema/reproduceSchema.ts';
import { REPRODUCE_SCHEMA } from '../schema/version.ts';
import { plural } from '../text/format.ts';
import { timeDecoding } from './decodeTimes.ts';
import {
  lossOf,
  trainMultiHead,
  uptrainCurve,
  type LabHooks,
  type LabText,
  type LabVariant,
  type Original,
} from './lab.ts';
import type { ReproduceOptions } from './options.ts';
import { allSteps, StepCount } from './progress.ts';

/** Share of the text that losses are measured on. */
export const HELD_OUT = 0.1;

/** Which training, or which model. Without an alpha it is the original's; without a method its KV heads are the original's. */
export interface LabTraining extends LabVariant {
  readonly seed: number;
  readonly alpha?: number;
}

/** A loss of a training under way, in nats a token; on the training text it is the mean of the last steps. */
export interface LabLoss {
  readonly training: LabTraining;
  readonly text: 'training' | 'heldOut';
  readonly step: number;
  readonly loss: number;
}

/** What a run is told besides. */
export interface ReproduceHooks extends TimerHooks {
  readonly signal?: AbortSignal;
  /** What is being done, how much of the whole is done, from 0 to 1, and milliseconds that the rest will take. */
  readonly onProgress?: (text: string, share: number, leftMs?: number) => void;
  /** Losses as they come; given, the held-out text is looked at during trainings too. */
  readonly onLoss?: (loss: LabLoss) => void;
  /** The models: the original, each conversion (alpha 0) and what each training comes to. The run waits, and closes them. */
  readonly onModel?: (training: LabTraining, source: ModelSource) => Promise<void>;
  /** The result of the seeds so far, after each. */
  readonly onSeed?: (result: ReproduceResult) => void;
}

/** What the host knows. */
export interface ReproduceHost {
  readonly context: RunContext;
  readonly adapter: string;
}

/**
 * Runs it. An abort ends it with the seeds that are finished; it rejects with the signal's reason where there are none.
 */
export async function reproduce(
  device: GqaDevice,
  options: ReproduceOptions,
  host: ReproduceHost,
  hooks: ReproduceHooks = {},
): Promise<ReproduceResult> {
  const { text: given = storiesText(), original, windows } = options;
  const text = windows === undefined ? given : { ...given, windows };
  const size = original?.size ?? TRAINING_SIZES[options.size];
  const seeds = new Seeds(device, options, text, hooks);
  const runs: SeedRun[] = [];
  const resultOf = (decode?: readonly DecodeTime[]) =>
    reproduceResult(device, options, { ...host, text, runs: [...runs], ...(decode && { decode }) });
  let first = original;
  for (const seed of options.seeds) {
    try {
      const { run, open } = await seeds.run(seed);
      runs.push(run);
      first ??= { name: 'multi-head', size, open };
      hooks.onSeed?.(resultOf());
    } catch (error) {
      if (hooks.signal?.aborted !== true || error !== hooks.signal.reason || runs.length === 0) throw error;
      break;
    }
  }
  const isWhole = runs.length === options.seeds.length && hooks.signal?.aborted !== true;
  const { depth, kvHeads } = options;
  if (depth === undefined || !isWhole) return resultOf();
  const { signal, guard, onProgress } = hooks;
  const timed = { original: first!, kvHeads, depth, context: host.context };
  const times = await timeDecoding(
    device,
    timed,
    { ...(signal && { signal }), ...(guard && { guard }) },
    (what) => onProgress?.(what, 1),
  );
  return resultOf(times);
}

/** What results call the stories that a run learns where it is given no text. */
export const STORIES_SOURCE = `${STORIES.characters} characters of generated stories, seed ${STORIES.seed}`;

function storiesText(): LabText {
  return characterText(generatedText(STORIES.seed, STORIES.characters), STORIES_SOURCE);
}

/** A text whose tokens are its characters. Throws ShapeError for what is no text, or has a character that is not of the vocabulary. */
export function characterText(text: string, source: string, vocabulary = charVocabulary(text)): LabText {
  const parts = splitTokens(vocabulary.encode(text), HELD_OUT);
  return { parts, vocabSize: vocabulary.characters.length, source };
}

function reproduceResult(
  { facts }: GqaDevice,
  { size: name, alphas, original }: ReproduceOptions,
  {
    context: { version, commit },
    adapter,
    text,
    runs,
    decode,
  }: ReproduceHost & Pick<ReproduceResult, 'runs' | 'decode'> & { readonly text: LabText },
): ReproduceResult {
  const { layers, dim, feedForward, heads, steps, batch, context } = original?.size ?? TRAINING_SIZES[name];
  return {
    schema: REPRODUCE_SCHEMA,
    context: { version, ...(commit !== undefined && { commit }), adapter, software: facts.software },
    params: {
      size: original?.name ?? name,
      model: { layers, dim, heads, feedForward },
      steps,
      batch,
      context,
      text: text.source,
      ...(text.windows !== undefined && { windows: text.windows }),
      alphas: [...alphas],
    },
    runs,
    ...(decode && { decode }),
  };
}

/** The trainings of one seed after the other. */
class Seeds {
  readonly #device: GqaDevice;
  readonly #options: ReproduceOptions;
  readonly #text: LabText;
  readonly #hooks: ReproduceHooks;
  readonly #count: StepCount;
  /** Of an original that is given, once it is known. */
  #loss: number | undefined;

  constructor(device: GqaDevice, options: ReproduceOptions, text: LabText, hooks: ReproduceHooks) {
    this.#device = device;
    this.#options = options;
    this.#text = text;
    this.#hooks = hooks;
    const { original, size } = options;
    const steps = allSteps(options, original?.size ?? TRAINING_SIZES[size], original !== undefined);
    this.#count = new StepCount(steps);
  }

  async run(seed: number): Promise<{ run: SeedRun; open: Original['open'] }> {
    const { alphas, kvHeads, methods, original, size: name } = this.#options;
    const size = original?.size ?? TRAINING_SIZES[name];
    const { open, loss } = await this.#multiHead(seed);
    await this.#show({ seed, kvHeads: size.heads }, open);
    const base = { size, open };
    const curve = (variant: LabVariant) =>
      uptrainCurve(this.#device, base, { seed, text: this.#text, alphas }, variant, {
        ofAlpha: (alpha) => this.#hooksOf({ seed, ...variant, alpha }),
        ...(this.#hooks.onModel && {
          onModel: (alpha, source) => this.#hooks.onModel!({ seed, ...variant, alpha }, source),
        }),
      });
    const curves: ReproducedCurve[] = [];
    for (const count of kvHeads) {
      for (const method of methods)
        curves.push({ kvHeads: count, method, points: await curve({ kvHeads: count, method }) });
    }
    const control = await curve({ kvHeads: size.heads });
    return { run: { seed, loss, control, curves }, open };
  }

  async #show(training: LabTraining, open: Original['open']): Promise<void> {
    const { onModel } = this.#hooks;
    if (!onModel) return;
    const source = await open(undefined);
    try {
      await onModel(training, source);
    } finally {
      await source.close();
    }
  }

  /** The original, trained or as it is. */
  async #multiHead(seed: number): Promise<{ open: Original['open']; loss: number }> {
    const { original, size } = this.#options;
    if (!original) {
      const { heads } = TRAINING_SIZES[size];
      const hooks = this.#hooksOf({ seed, kvHeads: heads });
      return trainMultiHead(this.#device, TRAINING_SIZES[size], seed, this.#text, hooks);
    }
    this.#loss ??= await lossOf(this.#device, original.size, this.#text, original.open);
    const training = { seed, kvHeads: original.size.heads };
    this.#hooks.onLoss?.({ training, text: 'heldOut', step: original.size.steps, loss: this.#loss });
    return { open: original.open, loss: this.#loss };
  }

  #hooksOf(training: LabTraining): LabHooks {
    const { signal, guard, onProgress, onLoss } = this.#hooks;
    const what = `seed ${training.seed}: ${trainingText(training)}`;
    return {
      ...(signal && { signal }),
      ...(guard && {
        wait: async () => {
          await guard.wait();
          if (guard.interrupted()) this.#count.skip();
        },
      }),
      onSteps: (steps, loss, step) => {
        this.#count.add(steps);
        onProgress?.(`${what}, loss ${loss.toFixed(3)}`, this.#count.share, this.#count.leftMs);
        onLoss?.({ training, text: 'training', step, loss });
      },
      ...(onLoss && { onHeldOut: (step, loss) => onLoss({ training, text: 'heldOut', step, loss }) }),
    };
  }
}

function trainingText({ kvHeads, method, alpha }: LabTraining): string {
  if (alpha === undefined) return 'the multi-head model';
  return method === undefined ? 'the control' : `${plural(kvHeads, 'KV head')}, ${method}`;
}
