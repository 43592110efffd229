// wholeSchema.ts: the result of decoding whole models, a step and its parts: its types and their check.
import * as v from 'valibot';
import type { KvType } from '../../src/index.ts';
import { STEP_PARTS } from '../../src/models/decoder/stepParts.ts';
import {
  flag,
  list,
  maybe,
  number,
  numberOrNull,
  object,
  objectOrNull,
  positive,
  text,
  word,
  type Read,
} from './fields.ts';
import { checkFields, contextFields, timeFields, warning } from './schema.ts';
import { SUITE, WHOLE_SCHEMA } from './version.ts';

const { host: _host, ...runContext } = contextFields;

const wholeContext = object({
  ...runContext,
  /** Whether the weights are seeded random numbers: a config or preset without a checkpoint. */
  randomWeights: flag,
});
export type WholeContext = Read<typeof wholeContext>;

/** What a row measures: a step that takes a token of each sequence and chooses the next, or prompts. */
const wholeParams = object({
  model: text,
  layers: positive,
  heads: positive,
  kvHeads: positive,
  headDim: positive,
  /** How the checkpoint's KV heads were merged or repeated; absent where they are its own, or random. */
  method: maybe(text),
  batch: positive,
  /** Tokens that each sequence holds before the step. */
  depth: positive,
  /** Tokens of each sequence's prompt, where a row is prompts up to the choice of the next tokens: `depth` is then as many. */
  prompt: maybe(positive),
  kType: word<KvType>(),
  vType: word<KvType>(),
  /** Element type of the weights; absent where it is the checkpoint's. */
  weightType: maybe(word<KvType>()),
});
export type WholeParams = Read<typeof wholeParams>;

/** A part of the step: its bytes from memory, and its time alone, dispatches of all layers behind each other. */
const part = object({
  /** Weights and KV that it reads. */
  bytes: number,
  dispatches: number,
  time: objectOrNull(timeFields),
  /** How far off the clock may put each of the samples, in ns per step. */
  clockNs: maybe(number),
});
export type WholePart = Read<typeof part>;

const wholeRow = object({
  /** As in `kv8_pca_b1_d1024`, or of prompts `kv8_pca_b1_pp512`. */
  id: text,
  /** mha, gqa or mqa. */
  variant: text,
  params: wholeParams,
  /** Read by a step: weights, and K and V of all sequences. Of prompts weights by each of their passes, and K and V that they leave. */
  bytes: object({ weights: number, kv: number }),
  /** Of a step, or of all passes of prompts. */
  dispatches: number,
  /** Whether what a step reads exceeds `coldBytes`; false of prompts, whose time is arithmetic. */
  cold: flag,
  /** Logits against float64, before the first sample. */
  check: objectOrNull(checkFields),
  time: objectOrNull(timeFields),
  clockNs: maybe(number),
  /** Of a step alone. */
  parts: maybe(
    object(
      Object.fromEntries(STEP_PARTS.map((name) => [name, part])) as Record<
        (typeof STEP_PARTS)[number],
        typeof part
      >,
    ),
  ),
  /** Time of the host's thread to prepare, record and submit a step of the whole model; for prompts, to record one. In ns, null where the clock cannot tell. */
  recordNs: maybe(numberOrNull),
  error: maybe(text),
  warnings: list(warning.entries.code),
});
export type WholeRow = Read<typeof wholeRow>;

export const wholeResult = object({
  schema: v.literal(WHOLE_SCHEMA, `"${WHOLE_SCHEMA}"`),
  suite: v.literal(SUITE, `"${SUITE}"`),
  context: wholeContext,
  results: list(wholeRow),
});
export type WholeResult = Read<typeof wholeResult>;
