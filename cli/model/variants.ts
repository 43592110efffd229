// variants.ts: a model as it is and with other KV heads, one after the other on one device.
import type { Method } from '../../src/checkpoint/convert/plan.ts';
import { openModel } from '../../src/checkpoint/model/disk/openModel.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import type { ModelContext } from '../../src/models/decoder/context.ts';
import type { ContextOptions } from '../../src/models/decoder/contextArgs.ts';
import { planMemory, type MemoryPlan } from '../../src/models/decoder/memoryPlan.ts';
import { loadModel } from '../../src/models/decoder/model.ts';
import type { ModelSource } from '../../src/models/decoder/modelSource.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import type { Progress } from '../../src/node/command/progress.ts';
import { DEFAULT_SEED } from '../../src/numbers/random.ts';
import type { ModelOptions } from './modelOptions.ts';

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

/** Those that the options ask for: each number of KV heads by each method, the model's own number once. */
export function variantsOf(
  { kvHeads, method }: Pick<ModelOptions, 'kvHeads' | 'method'>,
  own: number,
): Variant[] {
  if (kvHeads === undefined) return [{ kvHeads: own }];
  return kvHeads.flatMap((count): Variant[] =>
    count >= own
      ? [{ kvHeads: count, ...(count > own && { method: 'mean' as const }) }]
      : method.map((each) => ({ kvHeads: count, method: each })),
  );
}

/** Opens a model for what is known before a device is there. */
export async function specOf(path: string): Promise<ModelSpec> {
  const open = await openModel(path);
  await open.close();
  return open.spec;
}

/** Loads a variant, runs `use` and frees it. `note` is told of its memory. */
export async function withVariant<T>(
  device: GqaDevice,
  path: string,
  variant: Variant,
  options: ModelOptions,
  sizes: Pick<ContextOptions, 'batch' | 'capacity'>,
  progress: Progress,
  use: (running: RunningVariant) => Promise<T>,
): Promise<T> {
  const { weightType, cacheTypeK, cacheTypeV, chunk } = options;
  const context: ContextOptions = {
    ...sizes,
    kType: cacheTypeK,
    ...(cacheTypeV !== undefined && { vType: cacheTypeV }),
    ...(chunk !== undefined && { chunk }),
  };
  const began = performance.now();
  const open = await openModel(path, variant.method && headsOf(variant.kvHeads, variant.method));
  try {
    const ofWeights = weightType === undefined ? {} : { weightType };
    const memory = planMemory(open, { ...context, ...ofWeights }, device.facts);
    const model = await loadModel(device, open, {
      ...ofWeights,
      onProgress: (done, all) => progress.show(`loading ${nameOf(variant)}`, done / all),
    });
    try {
      progress.show(`compiling ${nameOf(variant)}`);
      const made = await model.createContext(context);
      try {
        progress.end();
        const loadMs = performance.now() - began;
        return await use({ ...variant, source: open, spec: open.spec, context: made, memory, loadMs });
      } finally {
        made.destroy();
      }
    } finally {
      model.destroy();
    }
  } finally {
    await open.close();
  }
}

/** How `openModel` is to merge heads. */
export function headsOf(kvHeads: number, method: Method) {
  const rest = { grouping: 'neighbours', headMap: 'contiguous', renorm: true, seed: DEFAULT_SEED } as const;
  return { kvHeads, method, ...rest };
}

/** A variant in words: "8 KV heads (mean)". */
export function nameOf({ kvHeads, method }: Variant): string {
  const heads = `${kvHeads} KV head${kvHeads === 1 ? '' : 's'}`;
  return method === undefined ? heads : `${heads} (${method})`;
}
