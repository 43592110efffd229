// reproduceSchema.ts: the result of `gqa reproduce`: losses of models that were converted and trained on: its types and their check.
import * as v from 'valibot';
import type { Method } from '../../src/checkpoint/convert/plan.ts';
import {
  flag,
  list,
  maybe,
  number,
  numberOrNull,
  object,
  positive,
  text,
  word,
  type Read,
} from './fields.ts';
import { REPRODUCE_SCHEMA } from './version.ts';

/** Nats a token on the held-out text, after a share of the original steps. */
const point = object({ alpha: number, loss: number });

const curve = object({ kvHeads: positive, method: word<Method>(), points: list(point) });
export type ReproducedCurve = Read<typeof curve>;

const seedRun = object({
  seed: number,
  /** Of the multi-head model, once it is trained. */
  loss: number,
  /** The multi-head model itself, trained on as the others are. */
  control: list(point),
  curves: list(curve),
});

/** A decode step of the first seed's model, heads merged by `mean`. */
const decodeTime = object({
  kvHeads: positive,
  /** Tokens in the cache. */
  depth: positive,
  /** Of K and V that a step reads. */
  kvBytes: number,
  /** Median in nanoseconds; null where the logits were wrong, or the clock could not tell. */
  stepNs: numberOrNull,
});
export type DecodeTime = Read<typeof decodeTime>;

export const reproduceResult = object({
  schema: v.literal(REPRODUCE_SCHEMA, `"${REPRODUCE_SCHEMA}"`),
  context: object({ version: text, commit: maybe(text), adapter: text, software: flag }),
  params: object({
    /** The name of a training size, or of the model that was trained before. */
    size: text,
    model: object({ layers: positive, dim: positive, heads: positive, feedForward: positive }),
    /** Of the original training. */
    steps: positive,
    batch: positive,
    context: positive,
    text,
    /** Contexts that losses are measured on; 128 in results that do not say it. */
    windows: maybe(positive),
    alphas: list(number),
  }),
  runs: list(seedRun),
  decode: maybe(list(decodeTime)),
});
export type ReproduceResult = Read<typeof reproduceResult>;
export type SeedRun = ReproduceResult['runs'][number];
