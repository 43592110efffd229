// modelTrace.ts: a prompt and the greedy tokens behind it through a model on a device: all hidden states, logits, keys and values on the host.
import { readBack } from '../../src/device/buffers.ts';
import { NotFiniteError } from '../../src/device/errors.ts';
import type { ModelContext } from '../../src/models/decoder/context.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { heldKv, placesOfK, placesOfV } from '../../src/models/reference/storedKv.ts';
import type { LayerKv } from '../../src/models/reference/twin.ts';

/** What a device came to, for T tokens. */
export interface ModelTrace {
  /** The prompt and what was chosen behind it but for the last, [T]. */
  readonly tokens: readonly number[];
  /** Greedy tokens behind the prompt; none where a logit is not finite. */
  readonly chosen: readonly number[];
  /** Behind the embedding and behind each layer, [T, hidden]. */
  readonly hidden: readonly Float32Array[];
  /** [T, vocab] */
  readonly logits: Float32Array;
  /** Of each layer, as the cache holds them. */
  readonly kv: readonly LayerKv[];
}

/**
 * Generates, and goes the same way again to see the states: the prompt in chunks, then token by token.
 * @param context of one sequence and room for prompt and tokens
 */
export async function traceModel(
  context: ModelContext,
  spec: ModelSpec,
  prompt: readonly number[],
  maxTokens: number,
): Promise<ModelTrace> {
  context.truncate(0, 0);
  const chosen = await greedy(context, prompt, maxTokens);
  context.truncate(0, 0);
  const behind = chosen.slice(0, -1);
  const tokens = [...prompt, ...behind];
  const hidden = Array.from(
    { length: spec.layers.length + 1 },
    () => new Float32Array(tokens.length * spec.hiddenSize),
  );
  const logits = new Float32Array(tokens.length * spec.vocabSize);
  const taken = hidden.map(() => 0);
  let rows = 0;
  const seen = {
    hidden: (part: number, row: Float32Array) => hidden[part]!.set(row, taken[part]!++ * spec.hiddenSize),
    logits: (row: Float32Array) => logits.set(row, rows++ * spec.vocabSize),
  };
  await context.trace(prompt, 'chunk', seen);
  await context.trace(behind, 'one', seen);
  return { tokens, chosen, hidden, logits, kv: await readKv(context, spec, tokens.length) };
}

async function greedy(
  context: ModelContext,
  prompt: readonly number[],
  maxTokens: number,
): Promise<number[]> {
  const chosen: number[] = [];
  try {
    for await (const [token] of context.generate([prompt], { maxTokens, stop: [] })) chosen.push(token!);
  } catch (error) {
    // The states say where it began.
    if (!(error instanceof NotFiniteError)) throw error;
  }
  return chosen;
}

async function readKv({ cache }: ModelContext, spec: ModelSpec, tokens: number): Promise<LayerKv[]> {
  const all: LayerKv[] = [];
  for (const [layer, { attention }] of spec.layers.entries()) {
    const { k, v } = cache.layers[layer]!;
    const layout = cache.layout.perLayer[layer]!;
    all.push({
      k: heldKv(await readBack(cache.device, k), layout.k, tokens, placesOfK(attention)),
      v: heldKv(await readBack(cache.device, v), layout.v, tokens, placesOfV(attention)),
    });
  }
  return all;
}
