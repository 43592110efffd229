// decodeTimes.ts: the GQA paper's figure 6 on this device: a decode step of a model with each number of KV heads, over a cache that outweighs it.
import type { GqaDevice } from '../../src/device/gqaDevice.ts';
import { headsOf } from '../model/variants.ts';
import type { RunContext } from '../run/options.ts';
import type { TimerHooks } from '../run/timer.ts';
import type { DecodeTime } from '../schema/reproduceSchema.ts';
import { runWhole } from '../whole/runWhole.ts';
import type { Original } from './lab.ts';

/** What is timed. */
export interface DecodeTimes {
  readonly original: Original;
  readonly kvHeads: readonly number[];
  /** Tokens in the cache. */
  readonly depth: number;
  readonly context: RunContext;
}

/** Times steps of a model as it is and with heads merged by `mean`. `onProgress` is told what is being done. */
export async function timeDecoding(
  device: GqaDevice,
  { original, kvHeads, depth, context }: DecodeTimes,
  hooks: TimerHooks & { readonly signal?: AbortSignal },
  onProgress: (text: string) => void,
): Promise<DecodeTime[]> {
  const run = runWhole(device, {
    model: {
      name: original.name,
      isRandom: false,
      open: (variant) => original.open(headsOf(variant)),
    },
    variants: [
      { kvHeads: original.size.heads },
      ...kvHeads.map((count) => ({ kvHeads: count, method: 'mean' as const })),
    ],
    depths: [depth],
    batches: [1],
    kType: 'f16',
    vType: 'f16',
    seed: 1,
    check: true,
    context,
    ...hooks,
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
    if (value.type === 'progress') onProgress(`decode steps: ${value.text}`);
  }
}
