// variants.ts: the variants of a model folder that a command's options ask for.
import { openModel } from '../../src/checkpoint/model/disk/openModel.ts';
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import type { ContextOptions } from '../../src/models/decoder/contextArgs.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import type { Progress } from '../../src/node/command/progress.ts';
import { withVariant, type RunningVariant, type Variant } from '../../bench/model/variants.ts';
import type { ModelOptions } from './modelOptions.ts';

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

/** Loads a variant of a folder, runs `use` and frees it. */
export function withFolderVariant<T>(
  device: GqaDevice,
  path: string,
  variant: Variant,
  options: ModelOptions,
  sizes: Pick<ContextOptions, 'batch' | 'capacity' | 'sourceCapacity'>,
  progress: Progress,
  use: (running: RunningVariant) => Promise<T>,
): Promise<T> {
  const { weightType, cacheTypeK, cacheTypeV, chunk } = options;
  return withVariant(device, (heads) => openModel(path, heads), variant, {
    options: {
      ...sizes,
      kType: cacheTypeK,
      ...(cacheTypeV !== undefined && { vType: cacheTypeV }),
      ...(chunk !== undefined && { chunk }),
      ...(weightType !== undefined && { weightType }),
    },
    onProgress: (text, share) => progress.show(text, share),
    use: (running) => {
      progress.end();
      return use(running);
    },
  });
}
