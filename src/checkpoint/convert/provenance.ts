// provenance.ts: what a result says of where it comes from.
import type { ConversionPlan } from './plan.ts';

/** What made a result and from what, besides the plan. */
export interface Origin {
  /** Name and version of the tool. */
  readonly tool: string;
  /** Name of the source folder. */
  readonly source: string;
  /** SHA-256 of the calibration file, if there was one. */
  readonly calibration: string | undefined;
}

/** SHA-256 of a source shard, in hex. */
export interface SourceHashes {
  /** Of its header and the tensors that were rewritten, in file order. The others are in the result, byte for byte. */
  readonly rewritten: string;
  /** Of the whole file, if that was asked for. */
  readonly file?: string;
}

/** As long as a hash is. */
export const NO_HASH = '0'.repeat(64);

const PREFIX = 'gqa.';

/**
 * Metadata of a shard of the result: the source shard's own, with what was done to it. What an earlier conversion left
 * there stays, under `gqa.before`.
 */
export function shardMetadata(
  own: Readonly<Record<string, string>>,
  plan: ConversionPlan,
  origin: Origin,
  hashes: SourceHashes,
): Record<string, string> {
  const earlier = Object.entries(own).filter(([key]) => key.startsWith(PREFIX));
  const rest = Object.entries(own).filter(([key]) => !key.startsWith(PREFIX));
  return Object.fromEntries([
    ...rest,
    ...Object.entries(provenance(plan, origin)).map(([key, value]) => [PREFIX + key, value] as const),
    [`${PREFIX}source_rewritten_sha256`, hashes.rewritten],
    ...(hashes.file === undefined ? [] : [[`${PREFIX}source_sha256`, hashes.file] as const]),
    ...(earlier.length > 0
      ? [[`${PREFIX}before`, JSON.stringify(Object.fromEntries(earlier))] as const]
      : []),
  ]);
}

/** The conversion in words and numbers, the same for all shards. */
export function provenance({ attention, options }: ConversionPlan, origin: Origin): Record<string, string> {
  const groupSize = attention.numQHeads / options.kvHeads;
  const reduces = options.kvHeads < attention.numKvHeads;
  const method = reduces ? options.method : 'repeat';
  return {
    tool: origin.tool,
    source: origin.source,
    family: attention.format.name,
    kv_heads: `${attention.numKvHeads} -> ${options.kvHeads}`,
    head_map: `query head h reads KV head floor(h / ${groupSize})`,
    source_head_map: options.headMap,
    method,
    ...(reduces && { grouping: options.grouping }),
    ...(method === 'aligned' && { renorm: String(options.renorm) }),
    ...(method === 'random' && { seed: String(options.seed) }),
    ...(origin.calibration !== undefined && { calibration_sha256: origin.calibration }),
  };
}
