// attendInput.ts: the tensors that `gqa attend` reads: found, checked against each other, and decoded.
import { checkKvLens } from '../../src/cache/layout.ts';
import { SafetensorsFile } from '../../src/checkpoint/format/file.ts';
import { CheckpointError, quote } from '../../src/checkpoint/format/checkpointError.ts';
import type { TensorInfo } from '../../src/checkpoint/format/safetensors.ts';
import {
  checkWhole,
  MAX_BATCH,
  MAX_HEAD_DIM,
  MAX_HEADS,
  MAX_Q_LEN,
  MIN_HEAD_DIM,
} from '../../src/kernels/shape.ts';

/** What a file asks for: q [B, Hq, Lq, D], k [B, Hkv, T, D] and v [B, Hkv, T, Dv] as f32, and how many of the T tokens are valid. */
export interface AttendInput {
  readonly batch: number;
  readonly numQHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Dv. */
  readonly vHeadDim: number;
  readonly qLen: number;
  /** T. */
  readonly capacity: number;
  readonly kvLens: readonly number[];
  readonly q: Float32Array<ArrayBuffer>;
  readonly k: Float32Array<ArrayBuffer>;
  readonly v: Float32Array<ArrayBuffer>;
  /** Names of tensors in the file that attention has no use for. */
  readonly unused: readonly string[];
}

/**
 * Reads q, k, v and, if it is there, kv_lens. What does not fit together throws a CheckpointError or ShapeError that
 * names file, tensor, what was expected and what was got; shapes are checked before any data is read, by `check` too.
 */
export async function readAttendInput(
  path: string,
  check: (shape: InputShape) => Promise<void> = async () => {},
): Promise<AttendInput> {
  const file = await SafetensorsFile.open(path);
  try {
    const shape = checkTensors(file, path);
    for (const name of ['q', 'k', 'v']) file.checkFloat32(name);
    await check(shape);
    const kvLens = await readKvLens(file, path, shape);
    const read = async (name: string) => (await file.readFloat32(name)).data;
    const input = { ...shape, kvLens, q: await read('q'), k: await read('k'), v: await read('v') };
    checkFinite(path, input);
    return { ...input, unused: [...file.header.tensors.keys()].filter((name) => !USED.includes(name)) };
  } finally {
    await file.close();
  }
}

const USED: readonly string[] = ['q', 'k', 'v', 'kv_lens'];

/** What the header tells. */
export type InputShape = Omit<AttendInput, 'kvLens' | 'q' | 'k' | 'v' | 'unused'>;

function checkTensors(file: SafetensorsFile, path: string): InputShape {
  const [q, k, v] = [find(file, path, 'q'), find(file, path, 'k'), find(file, path, 'v')];
  const [batch, numQHeads, qLen, headDim] = q.shape as readonly [number, number, number, number];
  const [kBatch, numKvHeads, capacity, kHeadDim] = k.shape as readonly [number, number, number, number];
  const [inQ, inK, inV] = [whereIs(path, 'q'), whereIs(path, 'k'), whereIs(path, 'v')];
  checkWhole(`${inQ}: B`, batch, 1, MAX_BATCH);
  checkWhole(`${inQ}: Hq`, numQHeads, 1, MAX_HEADS);
  checkWhole(`${inQ}: Lq`, qLen, 1, MAX_Q_LEN);
  checkAxis(`${inQ}: D`, headDim);
  if (kBatch !== batch || kHeadDim !== headDim) {
    const wanted = `expected [${batch}, Hkv, T, ${headDim}], because q is ${list(q.shape)}`;
    throw new CheckpointError(`${inK}: ${wanted}; got ${list(k.shape)}`);
  }
  checkWhole(`${inK}: Hkv`, numKvHeads, 1, MAX_HEADS);
  checkWhole(`${inK}: T`, capacity, 1, Number.MAX_SAFE_INTEGER);
  if (numQHeads % numKvHeads !== 0) {
    throw new CheckpointError(`${inK}: Hq (${numQHeads}) must be a multiple of Hkv (${numKvHeads})`);
  }
  const vHeadDim = v.shape[3]!;
  if (v.shape.slice(0, 3).join() !== k.shape.slice(0, 3).join()) {
    const wanted = `[${batch}, ${numKvHeads}, ${capacity}, Dv]`;
    throw new CheckpointError(
      `${inV}: expected ${wanted}, because k is ${list(k.shape)}; got ${list(v.shape)}`,
    );
  }
  checkAxis(`${inV}: Dv`, vHeadDim);
  return { batch, numQHeads, numKvHeads, headDim, vHeadDim, qLen, capacity };
}

/** Throws CheckpointError for heads that there are no kernels for. */
function checkAxis(where: string, headDim: number): void {
  if (headDim % 8 === 0 && headDim >= MIN_HEAD_DIM && headDim <= MAX_HEAD_DIM) return;
  const wanted = `expected a multiple of 8 from ${MIN_HEAD_DIM} to ${MAX_HEAD_DIM}`;
  throw new CheckpointError(`${where}: ${wanted}, got ${headDim}`);
}

const AXES = { q: '[B, Hq, Lq, D]', k: '[B, Hkv, T, D]', v: '[B, Hkv, T, Dv]' } as const;
const FLOATS: readonly string[] = ['F32', 'F16', 'BF16'];

/** A tensor of four axes and floating-point elements. */
function find(file: SafetensorsFile, path: string, name: keyof typeof AXES): TensorInfo {
  const { tensors } = file.header;
  const tensor = tensors.get(name);
  const wanted = `${whereIs(path, name)}: expected ${FLOATS.join(', ')} ${AXES[name]}`;
  if (!tensor) {
    const names = [...tensors.keys()].slice(0, 10).map(quote).join(', ');
    throw new CheckpointError(`${wanted}; not in the file, which has ${names || 'no tensors'}`);
  }
  const { dtype, shape } = tensor;
  if (FLOATS.includes(dtype) && shape.length === 4) return tensor;
  throw new CheckpointError(`${wanted}; got ${dtype} ${list(shape)}`);
}

const INTEGERS = {
  I8: Int8Array,
  U8: Uint8Array,
  I16: Int16Array,
  U16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const;

/** The lengths in `kv_lens`; without that tensor every sequence has T tokens. */
async function readKvLens(
  file: SafetensorsFile,
  path: string,
  { batch, capacity }: InputShape,
): Promise<number[]> {
  const tensor = file.header.tensors.get('kv_lens');
  if (!tensor) return Array.from({ length: batch }, () => capacity);
  const where = whereIs(path, 'kv_lens');
  const { dtype, shape } = tensor;
  const Integers = isInteger(dtype) ? INTEGERS[dtype] : undefined;
  if (!Integers || shape.length !== 1 || shape[0] !== batch) {
    const types = Object.keys(INTEGERS).join(', ');
    throw new CheckpointError(`${where}: expected one of ${types} [${batch}]; got ${dtype} ${list(shape)}`);
  }
  const kvLens = Array.from(new Integers((await file.read('kv_lens')).buffer), Number);
  checkKvLens(where, kvLens, batch, capacity);
  return kvLens;
}

function isInteger(dtype: string): dtype is keyof typeof INTEGERS {
  return Object.hasOwn(INTEGERS, dtype);
}

/** Shaders may assume that NaN and infinity never occur, so they would give any number. */
function checkFinite(path: string, input: Omit<AttendInput, 'unused'>): void {
  const everything = Array.from({ length: input.batch }, () => input.qLen);
  checkRows(whereIs(path, 'q'), input.q, [input.numQHeads, input.qLen, input.headDim], everything);
  for (const name of ['k', 'v'] as const) {
    const dim = name === 'k' ? input.headDim : input.vHeadDim;
    const axes = [input.numKvHeads, input.capacity, dim] as const;
    checkRows(whereIs(path, name), input[name], axes, input.kvLens);
  }
}

/** Checks the first `lens[b]` rows of each head of values [B, heads, rows, D]; the rest may hold anything. */
function checkRows(
  where: string,
  values: Float32Array,
  [heads, rows, headDim]: readonly [number, number, number],
  lens: readonly number[],
): void {
  lens.forEach((len, b) => {
    for (let h = 0; h < heads; h++) {
      const begin = (b * heads + h) * rows * headDim;
      for (let i = begin; i < begin + len * headDim; i++) {
        if (Number.isFinite(values[i])) continue;
        const at = [b, h, Math.floor((i - begin) / headDim), (i - begin) % headDim];
        throw new CheckpointError(`${where}: expected finite numbers, got ${values[i]} at ${list(at)}`);
      }
    }
  });
}

function whereIs(path: string, name: string): string {
  return `${path}: tensor ${quote(name)}`;
}

function list(sizes: readonly number[]): string {
  return `[${sizes.join(', ')}]`;
}
