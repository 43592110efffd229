// snapshotFormat.ts: what a snapshot of a cache is: tensors and metadata, as safetensors files hold them, with checksums.
import { ShapeError } from '../device/errors.ts';
import { describe, isRecord } from '../device/options.ts';
import { crc32 } from '../numbers/crc32.ts';
import { sequenceTensors, type Part, type SequenceTensor, type SnapshotDtype } from './sequenceRows.ts';
import { segmentRows } from './headSegments.ts';
import { slotsOf, type CacheLayout, type LayerLayout } from './layout.ts';

/** A tensor of a snapshot. `data` holds its bytes, row-major and little-endian. */
export interface SnapshotTensor {
  readonly name: string;
  readonly dtype: SnapshotDtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array<ArrayBuffer>;
}

/** The tokens of a cache, or of one sequence of it. */
export interface CacheSnapshot {
  /**
   * `layers.L.sequences.B.k` and `.v`, of each layer and sequence: [Hkv, T, D] for the T tokens that it holds, in a layer with a
   * ring for the slots that hold one. Rows of int8
   * and int4 are U8 [Hkv, T, bytes] and have scales beside them, BF16 [Hkv, T, scales]: `.k_scales` and `.v_scales`.
   */
  readonly tensors: readonly SnapshotTensor[];
  /** Types, shapes, lengths and checksums. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A snapshot that has been somewhere: what `restore` takes. */
export interface StoredSnapshot {
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly data: ArrayBufferView;
  }[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a snapshot holds, as its metadata say. */
export interface Contents {
  readonly version: 1;
  readonly kType: string;
  readonly vType: string;
  /** KV heads, head dim of K and of V, and with a ring its slots, those before it first, of each layer. */
  readonly layers: readonly (readonly number[])[];
  readonly sequences: readonly number[];
  /** Of each layer, the tokens of each of these sequences. */
  readonly kvLens: readonly (readonly number[])[];
  /** The same up to which slots were written to, where layers have rings. */
  readonly written?: readonly (readonly number[])[];
  readonly crc32: Readonly<Record<string, number>>;
}

const CONTENTS = 'gqa_webgpu_kv_cache';
const CHECKSUM = 'gqa_webgpu_kv_cache_crc32';

/** The types and shapes of a cache's layers, which a snapshot has in common with caches that it fits. */
export function kindOf({
  kType,
  vType,
  perLayer,
}: CacheLayout): Pick<Contents, 'kType' | 'vType' | 'layers'> {
  const layers = perLayer.map(({ numKvHeads, k, v, ring }) => {
    return [numKvHeads, k.headDim, v.headDim, ...(ring ? [ring.sinkSlots, ring.slots] : [])];
  });
  return { kType, vType, layers };
}

/** The tensors of K or V of a layer, by their names in a snapshot; `parts` says where the tokens of the i-th of its sequences lie. */
export function tensorsOf(
  { perLayer }: CacheLayout,
  { sequences, kvLens }: Pick<Contents, 'sequences' | 'kvLens'>,
  layer: number,
  of: 'k' | 'v',
  parts: (layer: LayerLayout, i: number, kvLen: number) => readonly Part[],
): (SequenceTensor & { readonly name: string })[] {
  const own = perLayer[layer]!;
  const rows = segmentRows(own[of], own);
  return sequences.flatMap((b, i) =>
    sequenceTensors(rows, own.numKvHeads, parts(own, i, slotsOf(own, kvLens[layer]![i]!))).map((tensor) => ({
      ...tensor,
      name: `layers.${layer}.sequences.${b}.${of}${tensor.suffix}`,
    })),
  );
}

/** The metadata of these tensors. */
export function metadataOf(
  contents: Omit<Contents, 'version' | 'crc32'>,
  tensors: readonly SnapshotTensor[],
): Record<string, string> {
  const checksums = Object.fromEntries(tensors.map(({ name, data }) => [name, crc32(data)]));
  const text = JSON.stringify({ version: 1, ...contents, crc32: checksums } satisfies Contents);
  return { [CONTENTS]: text, [CHECKSUM]: String(checksumOf(text)) };
}

function checksumOf(text: string): number {
  return crc32(new TextEncoder().encode(text));
}

/** Reads the metadata. Throws ShapeError for what is no snapshot, or a damaged one. */
export function contentsOf(snapshot: StoredSnapshot): Contents {
  if (!isRecord(snapshot) || !isRecord(snapshot.metadata) || !Array.isArray(snapshot.tensors)) {
    throw new ShapeError(`restore: expected a snapshot's tensors and metadata, got ${describe(snapshot)}`);
  }
  const { [CONTENTS]: text, [CHECKSUM]: checksum } = snapshot.metadata;
  if (typeof text !== 'string') {
    throw new ShapeError(`restore: metadata: expected ${CONTENTS} among them, got ${describe(text)}`);
  }
  const actual = String(checksumOf(text));
  if (checksum !== actual) {
    throw new ShapeError(
      `restore: metadata are damaged: expected checksum ${describe(checksum)}, got ${actual}`,
    );
  }
  const contents = JSON.parse(text) as Contents;
  if (contents.version !== 1) {
    throw new ShapeError(`restore: expected a snapshot of version 1, got ${describe(contents.version)}`);
  }
  return contents;
}

/** The bytes of the tensors, by name. Throws ShapeError unless they are the expected ones, whole and undamaged. */
export function checkedTensors(
  { tensors }: StoredSnapshot,
  expected: readonly (SequenceTensor & { readonly name: string })[],
  checksums: Contents['crc32'],
): Map<string, Uint8Array> {
  if (tensors.length !== expected.length) {
    throw new ShapeError(`restore: expected ${expected.length} tensors, got ${tensors.length}`);
  }
  const given = new Map(
    tensors.map((tensor: unknown) => [isRecord(tensor) ? tensor.name : undefined, tensor]),
  );
  return new Map(
    expected.map(({ name, dtype, shape, pieces }) => {
      const bytes = pieces.reduce((sum, { kept }) => sum + kept, 0);
      const data = dataOf(name, given.get(name), `${dtype} [${shape.join(', ')}]`, bytes);
      const actual = crc32(data);
      if (actual === checksums[name]) return [name, data];
      throw new ShapeError(
        `restore: ${name} is damaged: expected checksum ${checksums[name]}, got ${actual}`,
      );
    }),
  );
}

function dataOf(name: string, tensor: unknown, type: string, bytes: number): Uint8Array {
  if (!isRecord(tensor)) throw new ShapeError(`restore: expected a tensor ${name}, got none`);
  const { dtype, shape, data } = tensor;
  if (typeof dtype !== 'string' || !Array.isArray(shape) || !ArrayBuffer.isView(data)) {
    throw new ShapeError(`restore: ${name}: expected dtype, shape and data, got ${describe(tensor)}`);
  }
  const given = `${dtype} [${shape.map(describe).join(', ')}]`;
  if (given !== type || data.byteLength !== bytes) {
    throw new ShapeError(
      `restore: ${name}: expected ${type} in ${bytes} bytes, got ${given} in ${data.byteLength}`,
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
