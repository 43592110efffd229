// variants.ts: a model as it is and with other KV heads: opened, loaded, run and freed, one at a time on one device.
import type { ConversionOptions, Method } from '../../src/checkpoint/convert/plan.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import type { ModelContext } from '../../src/models/decoder/context.ts';
import { planMemory, type MemoryOptions, type MemoryPlan } from '../../src/models/decoder/memoryPlan.ts';
import { loadModel } from '../../src/models/decoder/model.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { DEFAULT_SEED } from '../../src/numbers/random.ts';
import { plural } from '../text/format.ts';

/** KV heads of a variant, and how they were merged; without a method the model is as it is. */
export interface Variant {
  readonly kvHeads: number;
  readonly method?: Method;
}

/** A variant on a device. */
export interface RunningVariant extends Variant {
  /** Open as long as it runs. */
  readonly source: ModelSource;
  readonly spec: ModelSpec;
  readonly context: ModelContext;
  readonly memory: MemoryPlan;
  /** Milliseconds that loading took. */
  readonly loadMs: number;
}

/** Opens a model as it is, or with other heads. */
export type OpenVariant = (heads: ConversionOptions | undefined) => Promise<ModelSource>;

/** How a variant is loaded and run. */
export interface VariantRun<T> {
  readonly options: MemoryOptions;
  /** Told what is being done, and how much of it is done, from 0 to 1, where that is known. */
  readonly onProgress: (text: string, share?: number) => void;
  readonly use: (running: RunningVariant) => Promise<T>;
}

/** Loads a variant, runs `use` and frees it. */
export async function withVariant<T>(
  device: GqaDevice,
  open: OpenVariant,
  variant: Variant,
  { options, onProgress, use }: VariantRun<T>,
): Promise<T> {
  const began = performance.now();
  const source = await open(headsOf(variant));
  try {
    const memory = planMemory(source, options, device.facts);
    const { weightType, ...ofContext } = options;
    const model = await loadModel(device, source, {
      ...(weightType !== undefined && { weightType }),
      onProgress: (done, all) => onProgress(`loading ${nameOf(variant)}`, done / all),
    });
    try {
      onProgress(`compiling ${nameOf(variant)}`);
      const context = await model.createContext(ofContext);
      try {
        const loadMs = performance.now() - began;
        return await use({ ...variant, source, spec: source.spec, context, memory, loadMs });
      } finally {
        context.destroy();
      }
    } finally {
      model.destroy();
    }
  } finally {
    await source.close();
  }
}

/** What a conversion to the variant is asked for; nothing for the model as it is. */
export function headsOf({ kvHeads, method }: Variant): ConversionOptions | undefined {
  if (method === undefined) return undefined;
  const rest = { grouping: 'neighbours', headMap: 'contiguous', renorm: true, seed: DEFAULT_SEED } as const;
  return { kvHeads, method, ...rest };
}

/** Room for a prompt of so many tokens and those behind it; with an encoder the prompt is the source, and the text begins with one token. */
export function sizesFor({ encoder }: ModelSpec, promptTokens: number, maxTokens: number) {
  if (!encoder) return { batch: 1, capacity: promptTokens + maxTokens };
  return { batch: 1, capacity: 1 + maxTokens, sourceCapacity: promptTokens };
}

/** What to know of a text of so many tokens, prompt and all, that is longer than any that the model was trained on; undefined of others. */
export function pastTraining({ trainedPositions }: ModelSpec, tokens: number): string | undefined {
  if (trainedPositions === undefined || tokens <= trainedPositions) return undefined;
  return `the model was trained for ${trainedPositions.toLocaleString('en')} positions (config.json); of ${tokens.toLocaleString('en')} tokens those past them may make no sense`;
}

/** A variant in words: "8 KV heads (mean)". */
export function nameOf({ kvHeads, method }: Variant): string {
  const heads = plural(kvHeads, 'KV head');
  return method === undefined ? heads : `${heads} (${method})`;
}
