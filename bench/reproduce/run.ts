// run.ts: the GQA paper's figures 4 to 6 at a small size: for each seed a model is trained, its heads merged, and the results trained on.
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import type { MemoryCheckpoint } from '../../src/train/memoryParts.ts';
import { openMemory } from '../../src/train/memoryParts.ts';
import { TRAINING_SIZES } from '../../src/train/sizes.ts';
import { splitTokens } from '../../src/train/text/batches.ts';
import { charVocabulary } from '../../src/train/text/characters.ts';
import { generatedText, STORIES } from '../../src/train/text/generatedText.ts';
import { headsOf } from '../model/variants.ts';
import type { RunContext } from '../run/options.ts';
import type { DecodeTime, ReproducedCurve, ReproduceResult, SeedRun } from '../schema/reproduceSchema.ts';
import { REPRODUCE_SCHEMA } from '../schema/version.ts';
import { plural } from '../text/format.ts';
import { runWhole } from '../whole/runWhole.ts';
import { curveSteps, trainMultiHead, uptrainCurve, type LabHooks, type LabText } from './lab.ts';
import type { ReproduceOptions } from './options.ts';

/** Share of the text that losses are measured on. */
const HELD_OUT = 0.1;

/** What a run is told besides. */
export interface ReproduceHooks {
  readonly signal?: AbortSignal;
  /** What is being done, and how much of the whole is done, from 0 to 1. */
  readonly onProgress?: (text: string, share: number) => void;
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
  { signal, onProgress }: ReproduceHooks = {},
): Promise<ReproduceResult> {
  const text = storiesOf();
  const size = TRAINING_SIZES[options.size];
  const steps = new StepCount(options, (share, what) => onProgress?.(what, share));
  const runs: SeedRun[] = [];
  let checkpoint: MemoryCheckpoint | undefined;
  for (const seed of options.seeds) {
    try {
      const trained = await runSeed(device, options, seed, text, { steps, signal });
      runs.push(trained.run);
      checkpoint ??= trained.checkpoint;
    } catch (error) {
      if (signal?.aborted !== true || error !== signal.reason || runs.length === 0) throw error;
      break;
    }
  }
  const isWhole = runs.length === options.seeds.length && signal?.aborted !== true;
  const decode =
    options.depth !== undefined && isWhole
      ? await timeDecoding(device, checkpoint!, size.heads, options, host, {
          ...(signal && { signal }),
          ...(onProgress && { onProgress }),
        })
      : undefined;
  const { version, commit } = host.context;
  const { batch, context, layers, dim, feedForward, heads } = size;
  return {
    schema: REPRODUCE_SCHEMA,
    context: {
      version,
      ...(commit !== undefined && { commit }),
      adapter: host.adapter,
      software: device.facts.software,
    },
    params: {
      size: options.size,
      model: { layers, dim, heads, feedForward },
      steps: size.steps,
      batch,
      context,
      text: `${STORIES.characters} characters of generated stories, seed ${STORIES.seed}`,
      alphas: [...options.alphas],
    },
    runs,
    ...(decode && { decode }),
  };
}

function storiesOf(): LabText {
  const text = generatedText(STORIES.seed, STORIES.characters);
  const vocabulary = charVocabulary(text);
  const parts = splitTokens(vocabulary.encode(text), HELD_OUT);
  return { parts, vocabSize: vocabulary.characters.length };
}

/** Steps of all trainings together, and how many of them are done. */
class StepCount {
  readonly #all: number;
  readonly #tell: (share: number, what: string) => void;
  #done = 0;

  constructor(
    { seeds, alphas, kvHeads, methods, size }: ReproduceOptions,
    tell: (share: number, what: string) => void,
  ) {
    const { steps } = TRAINING_SIZES[size];
    const curves = kvHeads.length * methods.length + 1;
    this.#all = seeds.length * (steps + curves * curveSteps(TRAINING_SIZES[size], alphas));
    this.#tell = tell;
  }

  hooks(what: string, signal: AbortSignal | undefined): LabHooks {
    return {
      ...(signal && { signal }),
      onSteps: (steps, loss) => {
        this.#done += steps;
        this.#tell(this.#done / this.#all, `${what}, loss ${loss.toFixed(3)}`);
      },
    };
  }
}

async function runSeed(
  device: GqaDevice,
  { size: name, alphas, kvHeads, methods }: ReproduceOptions,
  seed: number,
  text: LabText,
  { steps, signal }: { readonly steps: StepCount; readonly signal: AbortSignal | undefined },
): Promise<{ run: SeedRun; checkpoint: MemoryCheckpoint }> {
  const size = TRAINING_SIZES[name];
  const says = (what: string) => steps.hooks(`seed ${seed}: ${what}`, signal);
  const { checkpoint, loss } = await trainMultiHead(device, size, seed, text, says('the multi-head model'));
  const curve = (variant: Parameters<typeof uptrainCurve>[5], what: string) =>
    uptrainCurve(device, size, seed, text, checkpoint, variant, alphas, says(what));
  const control = await curve({ kvHeads: size.heads }, 'the control');
  const curves: ReproducedCurve[] = [];
  for (const count of kvHeads) {
    for (const method of methods) {
      const points = await curve({ kvHeads: count, method }, `${plural(count, 'KV head')}, ${method}`);
      curves.push({ kvHeads: count, method, points });
    }
  }
  return { run: { seed, loss, control, curves }, checkpoint };
}

/** A decode step of the trained model with each number of KV heads, over a cache that outweighs it: the paper's figure 6. */
async function timeDecoding(
  device: GqaDevice,
  checkpoint: MemoryCheckpoint,
  heads: number,
  { kvHeads, depth }: ReproduceOptions,
  { context }: ReproduceHost,
  { signal, onProgress }: ReproduceHooks,
): Promise<DecodeTime[]> {
  const variants = [
    { kvHeads: heads },
    ...kvHeads.map((count) => ({ kvHeads: count, method: 'mean' as const })),
  ];
  const run = runWhole(device, {
    model: {
      name: checkpoint.name,
      isRandom: false,
      open: (variant) => Promise.resolve(openMemory(checkpoint, headsOf(variant))),
    },
    variants,
    depths: [depth!],
    batches: [1],
    kType: 'f16',
    vType: 'f16',
    seed: 1,
    check: true,
    context,
    ...(signal && { signal }),
  });
  for (;;) {
    const { value, done } = await run.next();
    if (done) {
      return value.results.map(({ params, bytes, time }) => ({
        kvHeads: params.kvHeads,
        depth: params.depth,
        kvBytes: bytes.kv,
        stepNs: time?.median ?? null,
      }));
    }
    if (value.type === 'progress') onProgress?.(`decode steps: ${value.text}`, 1);
  }
}
