// protobuf.ts: the four forms of protobuf's wire format that an ONNX model of one node needs.

/** A field of a message, as bytes. */
export type Field = readonly number[];

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** A whole number of at least 0, seven bits per byte, lowest first. */
function varint(value: number): number[] {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`protobuf: expected a whole number, got ${value}`);
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

function key(field: number, wireType: number): number[] {
  return varint(field * 8 + wireType);
}

/** An integer or enum field. */
export function int(field: number, value: number): Field {
  return [...key(field, VARINT), ...varint(value)];
}

/** A string field. */
export function text(field: number, value: string): Field {
  return delimited(field, [...new TextEncoder().encode(value)]);
}

/** A field that is a message of the given fields. */
export function message(field: number, ...fields: readonly Field[]): Field {
  return delimited(field, fields.flat());
}

function delimited(field: number, bytes: readonly number[]): Field {
  return [...key(field, LENGTH_DELIMITED), ...varint(bytes.length), ...bytes];
}
