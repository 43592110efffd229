// weightFiles.ts: which files of a model folder hold its weights, by their names; and files that stand for others.
import { fail, quote } from './checkpointError.ts';
import { INDEX, SINGLE, type Index } from './shardIndex.ts';

/** Weights, and what describes them: the number of heads in a params.json is that of the weights that Meta's code reads. */
export const WEIGHTS =
  /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf|onnx|onnx[._]data(_\d+)?|ot|tflite|npz|pdparams|nemo|llamafile|litertlm|task|data-\d+-of-\d+)$|\.index(\.\w+)?\.json$|(^|\/)params\.json$/;

/** Safetensors files that are not the model's own weights: Mistral's own form of them, and heads that guess ahead. */
const BESIDE = /^(consolidated[^/]*|medusa_lm_head)\.safetensors$/;

function isTopSafetensors(name: string): boolean {
  return /^[^/]+\.safetensors$/.test(name);
}

/** False for a file that is neither read nor copied. */
export function isUsed(name: string): boolean {
  return !WEIGHTS.test(name) || name === INDEX || (isTopSafetensors(name) && !BESIDE.test(name));
}

/**
 * The safetensors files of a model, of the files with these names: those of its index, or a single one. Throws a CheckpointError
 * unless they are all there, and one set.
 */
export function weightFiles(names: readonly string[], index: Index | undefined, where: string): string[] {
  const weights = index ? [...new Set(index.files.values())].toSorted() : [singleFile(names, where)];
  const says = index ? INDEX : weights[0]!;
  const missing = weights.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    fail(
      `${where}/${says}: names ${quote(missing[0]!)}, which is missing (${missing.length} of ${weights.length} shards are)`,
    );
  }
  const extra = names.filter(
    (name) => isTopSafetensors(name) && !weights.includes(name) && !BESIDE.test(name),
  );
  if (extra.length === 0) return weights;
  return fail(
    `${where}: two sets of weights, ${quote(says)} and ${quote(extra[0]!)}, which is not of the first; remove the one that is not the model's`,
  );
}

function singleFile(files: readonly string[], where: string): string {
  if (files.includes(SINGLE)) return SINGLE;
  const found = files.filter(isTopSafetensors);
  if (found.length === 1) return found[0]!;
  const what = found.length === 0 ? noneBut(files) : found.map(quote).join(', ');
  return fail(`${where}: expected ${SINGLE}, ${INDEX} or a single safetensors file, got ${what}`);
}

function noneBut(files: readonly string[]): string {
  const other = files.find((name) => WEIGHTS.test(name) && !name.endsWith('.json'));
  return other === undefined ? 'none' : `none, but ${quote(other)}; save the model as safetensors first`;
}

/** A pointer is shorter than this, by its specification. */
export const MAX_POINTER_BYTES = 1024;
const POINTER = 'version https://git-lfs.github.com/spec/';

/** Throws a CheckpointError where the bytes of a file are only Git LFS's pointer to it: a clone without it leaves those. */
export function refusePointer(bytes: Uint8Array, where: string): void {
  const begin = String.fromCharCode(...bytes.subarray(0, POINTER.length));
  if (begin !== POINTER) return;
  fail(`${where}: is a pointer of Git LFS, not the file itself; fetch it with \`git lfs pull\``);
}
