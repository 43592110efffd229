// safetensors.ts: the safetensors format: its header read, checked and written, its elements decoded. Touches no disk.
import { isRecord } from '../../device/options.ts';
import { bf16Values, f16Values } from '../../numbers/halves.ts';
import { describe, fail, list, quote } from './checkpointError.ts';
import { parseJson } from './headerJson.ts';

/** Bytes of one element. */
export const DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  C64: 8,
} as const;

/** Elements that are no whole bytes, in bits. */
const PACKED_BITS: Readonly<Record<string, number>> = { F4: 4, F6_E2M3: 6, F6_E3M2: 6 };

/** Element types by the format's own names. */
export type SafetensorsDtype = keyof typeof DTYPE_BYTES;

/** What a tensor is, before it has a place in a file. The shape of a scalar is []. */
export interface TensorSpec {
  readonly name: string;
  /** One of `DTYPE_BYTES`, or any other word: what is only copied needs no more than its bytes. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes that it takes, for a dtype that does not tell. */
  readonly bytes?: number;
}

/** A tensor of a file: bytes [begin, end), counted from the header's `dataStart`. */
export interface TensorInfo extends TensorSpec {
  readonly begin: number;
  readonly end: number;
}

/** A checked header. `tensors` goes by offset; `dataStart` is the position in the file of the first data byte. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly dataStart: number;
}

/** Bytes in front of the header: its length, little-endian. */
export const PREFIX_BYTES = 8;

/** Longest header that is read or written, in bytes: the reference implementation's limit. */
const MAX_HEADER_BYTES = 100_000_000;

const METADATA = '__metadata__';
const DTYPES = Object.keys(DTYPE_BYTES);
const DTYPE = /^[A-Z][A-Z0-9_]{0,31}$/;
const FIELDS = ['dtype', 'shape', 'data_offsets'];

/** True for a dtype of whole bytes that is known. */
export function isDtype(value: string): value is SafetensorsDtype {
  return Object.hasOwn(DTYPE_BYTES, value);
}

/** Bytes a tensor takes. Not a safe integer when the shape is too large or not made of whole numbers. */
export function tensorByteLength(dtype: SafetensorsDtype, shape: readonly number[]): number {
  return shape.reduce((bytes, size) => bytes * size, DTYPE_BYTES[dtype]);
}

/** Bytes a tensor takes, by its dtype or, where that does not tell, as it says itself; undefined when neither does. */
export function specByteLength({ dtype, shape, bytes }: Omit<TensorSpec, 'name'>): number | undefined {
  if (isDtype(dtype)) return tensorByteLength(dtype, shape);
  const bits = Object.hasOwn(PACKED_BITS, dtype) ? PACKED_BITS[dtype] : undefined;
  return bits === undefined ? bytes : shape.reduce((product, size) => product * size, bits) / 8;
}

/**
 * Length of the header, from the file's first 8 bytes (all of them if the file is shorter) and the file's size.
 * Call it before making room for the header: a length the file cannot hold throws a CheckpointError.
 */
export function readHeaderLength(prefix: Uint8Array, fileSize: number, where: string): number {
  if (fileSize < PREFIX_BYTES || prefix.byteLength < PREFIX_BYTES) {
    fail(`${where}: a safetensors file has at least ${PREFIX_BYTES} bytes, this one has ${fileSize}`);
  }
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true));
  checkHeaderLength(length, fileSize, where);
  return length;
}

/**
 * Parses and checks a header. `headerJson` is the header alone, without the 8 length bytes; the data is not needed.
 * The tensors must cover the rest of the file exactly, without holes or overlaps. Anything else throws a
 * CheckpointError; `where` (the file's path, say) begins its message.
 */
export function parseHeader(headerJson: Uint8Array, fileSize: number, where: string): SafetensorsHeader {
  checkHeaderLength(headerJson.byteLength, fileSize, where);
  const { [METADATA]: strings = {}, ...entries } = parseJson(headerJson, where);
  const metadata = parseMetadata(strings, `${where}: ${METADATA}`);
  const tensors = Object.entries(entries)
    .map(([name, entry]) => parseTensor(name, entry, `${where}: tensor ${quote(name)}`))
    .toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  const dataStart = PREFIX_BYTES + headerJson.byteLength;
  checkCoverage(tensors, fileSize - dataStart, where);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata, dataStart };
}

/**
 * The 8 length bytes and the header of a file whose data holds `tensors` in the order given, padded with spaces to a
 * multiple of 8 bytes. What `parseHeader` would refuse throws a CheckpointError here. Give wider element types first:
 * then every tensor begins on a multiple of its element size, which some readers demand.
 */
export function serializeHeader(
  tensors: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = {},
  where = 'serializeHeader',
): Uint8Array<ArrayBuffer> {
  const entries = Object.keys(metadata).length > 0 ? [`"${METADATA}":${JSON.stringify(metadata)}`] : [];
  let begin = 0;
  for (const { name, dtype, shape, bytes: given } of tensors) {
    const at = `${where}: tensor ${quote(name)}`;
    if (name === METADATA) fail(`${at}: the name is reserved`);
    const bytes = checkSpec(dtype, shape, given, at).bytes;
    if (bytes === undefined) fail(`${at}: dtype ${quote(dtype)} does not say how many bytes it takes`);
    const end = begin + bytes;
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
    begin = end;
  }
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  const length = Math.ceil(json.byteLength / 8) * 8;
  const header = new Uint8Array(PREFIX_BYTES + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, PREFIX_BYTES);
  // Reading it back applies every rule in one place.
  parseHeader(header.subarray(PREFIX_BYTES), header.byteLength + begin, where);
  return header;
}

/**
 * The values of F32, F16 or BF16 bytes, in memory of their own; `bytes` need not be aligned. Another dtype, or bytes
 * that are not whole elements, throws a CheckpointError.
 */
export function toFloat32(dtype: string, bytes: Uint8Array, where = 'toFloat32'): Float32Array<ArrayBuffer> {
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
    fail(`${where}: dtype ${dtype} cannot be read as f32; F32, F16 and BF16 can`);
  }
  const size = DTYPE_BYTES[dtype];
  if (bytes.byteLength % size !== 0) {
    fail(`${where}: ${bytes.byteLength} bytes are not whole ${dtype} elements of ${size} bytes`);
  }
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  if (dtype === 'F32')
    return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4).slice();
  const halves = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
  return dtype === 'BF16' ? bf16Values(halves) : f16Values(halves);
}

function checkHeaderLength(length: number, fileSize: number, where: string): void {
  if (length === 0) fail(`${where}: header length must not be 0`);
  if (length > MAX_HEADER_BYTES) {
    fail(
      `${where}: header length ${length} is over the limit of ${MAX_HEADER_BYTES}; is it a safetensors file?`,
    );
  }
  if (PREFIX_BYTES + length > fileSize) {
    fail(`${where}: header length ${length} does not fit in a file of ${fileSize} bytes`);
  }
}

function parseMetadata(entry: unknown, at: string): Record<string, string> {
  if (!isRecord(entry)) fail(`${at}: must be an object of strings, got ${describe(entry)}`);
  // Without a prototype, so that looking up 'constructor' finds nothing and '__proto__' is a key like any other.
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== 'string') fail(`${at}: ${quote(key)} must be a string, got ${describe(value)}`);
    metadata[key] = value;
  }
  return metadata;
}

function parseTensor(name: string, entry: unknown, at: string): TensorInfo {
  if (!isRecord(entry)) fail(`${at}: must be an object, got ${describe(entry)}`);
  const missing = FIELDS.find((field) => !Object.hasOwn(entry, field));
  if (missing) fail(`${at}: field "${missing}" is missing`);
  const extra = Object.keys(entry).find((field) => !FIELDS.includes(field));
  if (extra !== undefined) fail(`${at}: unknown field ${quote(extra)}; a tensor has ${FIELDS.join(', ')}`);
  const offsets = checkSizes(entry['data_offsets'], `${at}: data_offsets`);
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || offsets.length > 2 || begin > end) {
    fail(`${at}: data_offsets must be [begin, end] with begin <= end, got ${list(offsets)}`);
  }
  const { dtype, shape, bytes } = checkSpec(entry['dtype'], entry['shape'], end - begin, at);
  if (bytes !== end - begin) {
    fail(`${at}: ${dtype} ${list(shape)} takes ${bytes} bytes, but data_offsets are ${list(offsets)}`);
  }
  return { name, dtype, shape, begin, end, ...(!isDtype(dtype) && { bytes }) };
}

/** `given` are the bytes that a dtype takes that does not tell. */
function checkSpec(dtype: unknown, sizes: unknown, given: number | undefined, at: string) {
  if (typeof dtype !== 'string' || !DTYPE.test(dtype))
    fail(`${at}: unknown dtype ${describe(dtype)}; expected a word like ${DTYPES.slice(0, 4).join(', ')}`);
  const shape = checkSizes(sizes, `${at}: shape`);
  const bytes = specByteLength({ dtype, shape, ...(given !== undefined && { bytes: given }) });
  if (bytes !== undefined && bytes > Number.MAX_SAFE_INTEGER)
    fail(`${at}: ${dtype} ${list(shape)} takes more than 2^53 - 1 bytes`);
  if (bytes !== undefined && !Number.isInteger(bytes))
    fail(`${at}: ${dtype} ${list(shape)} takes ${bytes} bytes, which is no whole number`);
  return { dtype, shape, bytes };
}

/** `tensors` go by offset: each must begin where the one before ends, and the last must end where the file does. */
function checkCoverage(tensors: readonly TensorInfo[], dataBytes: number, where: string): void {
  let covered = 0;
  for (const { name, begin, end } of tensors) {
    const at = `${where}: tensor ${quote(name)}: bytes ${begin} to ${end}`;
    if (end > dataBytes) fail(`${at} pass the end of the file's ${dataBytes} data bytes; is it truncated?`);
    if (begin < covered) fail(`${at} overlap the bytes before, which end at ${covered}`);
    if (begin > covered) fail(`${at} leave a hole after the bytes before, which end at ${covered}`);
    covered = end;
  }
  if (covered < dataBytes)
    fail(`${where}: ${dataBytes - covered} bytes follow the last tensor, which ends at ${covered}`);
}

function checkSizes(value: unknown, at: string): number[] {
  if (!Array.isArray(value)) fail(`${at} must be an array, got ${describe(value)}`);
  return value.map((size: unknown, i) => {
    if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return size;
    return fail(`${at}[${i}] must be a whole number from 0 to 2^53 - 1, got ${describe(size)}`);
  });
}
