// shardIndex.ts: the index of a model of several shards: which tensor is in which file.
import { isRecord } from '../../device/options.ts';
import { parseConfigJson } from '../../models/configJson.ts';
import { fail, quote } from './checkpointError.ts';

/** Its name in a model folder, and that of a model that is one file. */
export const INDEX = 'model.safetensors.index.json';
export const SINGLE = 'model.safetensors';

/** A parsed index. */
export interface Index {
  readonly json: Record<string, unknown>;
  /** Shard by tensor name. */
  readonly files: ReadonlyMap<string, string>;
}

/** Parses an index; `path` is its own, for messages. */
export function readIndex(text: string, path: string): Index {
  const json = parseConfigJson(text, path);
  const map = isRecord(json) ? json['weight_map'] : undefined;
  if (!isRecord(json) || !isRecord(map)) fail(`${path}: expected an object with a "weight_map"`);
  const files = Object.entries(map).map(([tensor, file]) => {
    // A plain name in the same folder, so that no index can reach a file elsewhere.
    if (typeof file === 'string' && /^[^/\\]+\.safetensors$/.test(file)) return [tensor, file] as const;
    return fail(
      `${path}: tensor ${quote(tensor)}: expected the name of a safetensors file, got ${quote(String(file))}`,
    );
  });
  if (files.length === 0) fail(`${path}: "weight_map" has no tensors`);
  return { json, files: new Map(files) };
}

/** Throws a CheckpointError unless each tensor is in the shard that the index says, and none is anywhere else. */
export function checkIndex(
  files: ReadonlyMap<string, string>,
  shardOf: ReadonlyMap<string, { readonly name: string }>,
  path: string,
): void {
  for (const [tensor, file] of files) {
    const shard = shardOf.get(tensor);
    if (shard?.name === file) continue;
    fail(
      `${path}: tensor ${quote(tensor)} should be in ${file}, but is ${shard ? `in ${shard.name}` : 'missing'}`,
    );
  }
  for (const [tensor, shard] of shardOf) {
    if (!files.has(tensor)) fail(`${path}: tensor ${quote(tensor)} of ${shard.name} is not in the index`);
  }
}
