// peerSchema.ts: the result of a run of several engines on the same shapes and data: its types and their check.
import * as v from 'valibot';
import {
  byName,
  flag,
  list,
  maybe,
  number,
  object,
  objectOrNull,
  oneOf,
  positive,
  text,
  type Read,
} from './fields.ts';
import { adapterFields, checkFields, runFields, sizeFields, timeFields, warning } from './schema.ts';
import { PEER_SCHEMA, SUITE } from './version.ts';

const peerPlace = object({
  name: text,
  runtime: runFields.runtime,
  /** Null for a place without WebGPU. */
  adapter: objectOrNull(adapterFields),
  features: list(text),
  /** Null where it was not measured. */
  ceiling: objectOrNull({ readGBps: positive, bytes: number, samplesNs: list(number) }),
});
export type PeerPlace = Read<typeof peerPlace>;

const peerContext = object({
  ...runFields,
  /** Exact versions of the engines' packages, by name. */
  packages: byName(text),
  /** The places of the run: a process and the one device that all its contestants share. */
  places: list(peerPlace),
  /** K and V of every contestant are rotated over at least so many bytes, where memory allows. */
  coldBytes: number,
  /** The clock of all times; `wall` includes what an engine does on the host in every step. */
  timer: oneOf('wall', 'cuda-event'),
});
export type PeerContext = Read<typeof peerContext>;

/** What a row of several engines measures: one decode step of attention, one query position per sequence, a prompt, a whole model's step, or a step of training. */
const peerParams = object({
  ...sizeFields,
  /** Element type of K and V. */
  type: text,
  /** Tokens of a prompt, where a step is one: all of them. */
  prompt: maybe(positive),
  /** The rest of a Llama's sizes, where a step is a token through a whole model, or of training. */
  model: maybe(object({ layers: positive, mlp: positive, vocab: positive })),
  /** Whether a step is one of training, on `batch` sequences of `depth` tokens; `weights` are then the bytes of all parameters. */
  training: maybe(flag),
});
export type PeerParams = Read<typeof peerParams>;

const peerRow = object({
  /** The shape, as in `h32_kv8_d128_t4096_f16`. */
  id: text,
  place: text,
  engine: text,
  params: peerParams,
  /** What runs in a step: op or kernels, layout of the cache, threads. */
  step: text,
  bytes: object({ kvRead: number, weights: maybe(number) }),
  copies: number,
  workingSetBytes: number,
  cold: flag,
  /** Against float64 before the first sample and after the last one. */
  check: objectOrNull({ before: object(checkFields), after: objectOrNull(checkFields) }),
  /** Null when an output was wrong or the engine could not run. A whole model's first step follows others, which had shaders compiled. */
  time: objectOrNull(timeFields),
  error: maybe(text),
  warnings: list(warning.entries.code),
});
export type PeerRow = Read<typeof peerRow>;

export const peerResult = object({
  schema: v.literal(PEER_SCHEMA, `"${PEER_SCHEMA}"`),
  suite: v.literal(SUITE, `"${SUITE}"`),
  context: peerContext,
  results: list(peerRow),
});
export type PeerResult = Read<typeof peerResult>;
