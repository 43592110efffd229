// checkHeads.ts: what callers ask of KV heads that are merged while a model is read.
import { checkBoolean, checkOneOf, checkOptions, checkWhole, type Known } from '../../device/options.ts';
import { SHAPE_LIMITS } from '../../models/limits.ts';
import { GROUPINGS, METHODS, type ConversionOptions } from '../convert/plan.ts';
import { HEAD_MAPS } from '../heads/heads.ts';

const HEADS = {
  kvHeads: true,
  method: true,
  grouping: true,
  headMap: true,
  renorm: true,
  seed: true,
} satisfies Known<ConversionOptions>;

/** Throws ShapeError unless these are the options of a conversion. */
export function checkHeads(where: string, heads: ConversionOptions): void {
  checkOptions(where, heads, HEADS);
  checkWhole(`${where}: kvHeads`, heads.kvHeads, 1, SHAPE_LIMITS.heads);
  checkOneOf(`${where}: method`, heads.method, METHODS);
  checkOneOf(`${where}: grouping`, heads.grouping, GROUPINGS);
  checkOneOf(`${where}: headMap`, heads.headMap, HEAD_MAPS);
  checkBoolean(`${where}: renorm`, heads.renorm);
  checkWhole(`${where}: seed`, heads.seed, 0, 2 ** 32 - 1);
}
