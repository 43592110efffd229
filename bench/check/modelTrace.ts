// modelTrace.ts: a prompt and the greedy tokens behind it through a model on a device: all hidden states, logits, keys and values on the host.
import type { KvCache } from '../../src/cache/kvCache.ts';
import { readBack } from '../../src/device/buffers.ts';
import { NotFiniteError } from '../../src/device/errors.ts';
import type { ModelContext } from '../../src/models/decoder/context.ts';
import type { AttentionSpec, ModelSpec } from '../../src/models/decoder/spec.ts';
import { attentionAt } from '../../src/models/reference/modelParts.ts';
import { heldKv, placesOfK, placesOfV } from '../../src/models/reference/storedKv.ts';
import type { Stack } from '../../src/models/reference/twin.ts';
import type { KvPlace, LayerKv } from '../../src/models/reference/twinOptions.ts';
import type { KvType } from '../../src/numbers/elements.ts';

/** K and V as a layer's cache holds them, and the types that they are stored in. */
export interface HeldKv extends LayerKv {
  readonly types: Readonly<Record<keyof LayerKv, KvType>>;
}

/** What a device came to, for T tokens. */
export interface ModelTrace {
  /** What the encoder read; none without one. */
  readonly source: readonly number[];
  /** The text: its beginning, which is the prompt or an encoder-decoder model's start token, and what was chosen behind it but for the last, [T]. */
  readonly tokens: readonly number[];
  /** Greedy tokens behind the beginning; none where a logit is not finite. */
  readonly chosen: readonly number[];
  /** Behind the embedding and behind each layer of a stack, [its tokens, hidden]; of the encoder none where there is none. */
  readonly hidden: Readonly<Record<Stack, readonly Float32Array[]>>;
  /** [T, vocab] */
  readonly logits: Float32Array;
  /** Of each layer. */
  readonly kv: Readonly<Record<KvPlace['of'], readonly HeldKv[]>>;
}

/**
 * Generates, and takes the same tokens again to see the states: the source part by part, the prompt in chunks, then token by token. With
 * an encoder the first half of the text goes in chunks.
 * @param context of one sequence and room for prompt and tokens
 */
export async function traceModel(
  context: ModelContext,
  spec: ModelSpec,
  prompt: readonly number[],
  maxTokens: number,
): Promise<ModelTrace> {
  const { encoder, hiddenSize, vocabSize, layers } = spec;
  const source = encoder ? prompt : [];
  const begin = encoder ? [encoder.startToken] : prompt;
  context.truncate(0, 0);
  if (encoder) await context.encode([source]);
  const chosen = await greedy(context, begin, maxTokens);
  context.truncate(0, 0);
  const encoded = encoder ? await traceSource(context, spec, source) : { hidden: [], kv: [] };
  const behind = chosen.slice(0, -1);
  const tokens = [...begin, ...behind];
  const states = new States(layers.length + 1, tokens.length, hiddenSize);
  const logits = new Float32Array(tokens.length * vocabSize);
  let rows = 0;
  const seen = { hidden: states.add, logits: (row: Float32Array) => logits.set(row, rows++ * vocabSize) };
  // Behind an encoder a text begins with one token: half of the others show what a chunk comes to.
  const inChunks = encoder ? 1 + Math.floor(behind.length / 2) : prompt.length;
  await context.trace(tokens.slice(0, inChunks), 'chunk', seen);
  await context.trace(tokens.slice(inChunks), 'one', seen);
  const kv = {
    encoder: encoded.kv,
    decoder: await readKv(context.cache, spec, 'decoder', tokens.length),
    cross: encoder ? await readKv(context.sourceCache!, spec, 'cross', source.length) : [],
  };
  return { source, tokens, chosen, hidden: { encoder: encoded.hidden, decoder: states.parts }, logits, kv };
}

async function traceSource(
  context: ModelContext,
  spec: ModelSpec,
  source: readonly number[],
): Promise<{ hidden: readonly Float32Array[]; kv: readonly HeldKv[] }> {
  const states = new States(spec.encoder!.layers.length + 1, source.length, spec.hiddenSize);
  const kv: HeldKv[] = [];
  await context.traceSource(source, {
    hidden: states.add,
    kv: async (layer, cache) => {
      kv.push(await layerKv(cache, 0, attentionAt(spec, { of: 'encoder', layer }), source.length));
    },
  });
  return { hidden: states.parts, kv };
}

/** Rows of hidden states, [T, hidden] behind each part of a stack. */
class States {
  readonly parts: readonly Float32Array[];
  readonly #width: number;
  readonly #taken: number[];

  constructor(parts: number, tokens: number, width: number) {
    this.parts = Array.from({ length: parts }, () => new Float32Array(tokens * width));
    this.#width = width;
    this.#taken = this.parts.map(() => 0);
  }

  readonly add = (part: number, row: Float32Array): void => {
    this.parts[part]!.set(row, this.#taken[part]!++ * this.#width);
  };
}

async function greedy(context: ModelContext, begin: readonly number[], maxTokens: number): Promise<number[]> {
  const chosen: number[] = [];
  try {
    for await (const [token] of context.generate([begin], { maxTokens, stop: [] })) chosen.push(token!);
  } catch (error) {
    // The states say where it began.
    if (!(error instanceof NotFiniteError)) throw error;
  }
  return chosen;
}

/** Those of all layers of a cache. */
async function readKv(cache: KvCache, spec: ModelSpec, of: KvPlace['of'], tokens: number): Promise<HeldKv[]> {
  const all: HeldKv[] = [];
  for (const layer of cache.layers.keys()) {
    all.push(await layerKv(cache, layer, attentionAt(spec, { of, layer }), tokens));
  }
  return all;
}

async function layerKv(
  cache: KvCache,
  layer: number,
  attention: AttentionSpec,
  tokens: number,
): Promise<HeldKv> {
  const { segments } = cache.layers[layer]!;
  const { kType, vType, perLayer } = cache.layout;
  const { k, v, segmentHeads } = perLayer[layer]!;
  const read = (of: 'k' | 'v') => Promise.all(segments.map((each) => readBack(cache.device, each[of])));
  return {
    types: { k: kType, v: vType },
    k: heldKv(await read('k'), { ...k, segmentHeads }, tokens, placesOfK(attention)),
    v: heldKv(await read('v'), { ...v, segmentHeads }, tokens, placesOfV(attention)),
  };
}
