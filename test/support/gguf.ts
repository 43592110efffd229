// gguf.ts: GGUF files for tests, of metadata alone: a header whose tensors are none.

/** Values of metadata: text, a flag, a whole number of 32 bits, or a list of one kind of them. */
export type GgufValue = string | boolean | number | readonly (string | boolean | number)[];

const TYPES = { u32: 4, bool: 7, string: 8, array: 9 } as const;

/** The bytes of a GGUF file of version 3. */
export function ggufBytes(metadata: Readonly<Record<string, GgufValue>>): Uint8Array<ArrayBuffer> {
  const parts: number[] = [...utf8('GGUF'), ...u32(3), ...u64(0), ...u64(Object.keys(metadata).length)];
  for (const [key, value] of Object.entries(metadata))
    parts.push(...text(key), ...u32(typeOf(value)), ...bytesOf(value));
  return Uint8Array.from(parts);
}

/** What llama.cpp writes for a small Llama: heads and sizes before a vocabulary. */
export const SMALL_LLAMA: Readonly<Record<string, GgufValue>> = {
  'general.architecture': 'llama',
  'llama.block_count': 30,
  'llama.embedding_length': 576,
  'llama.attention.head_count': 9,
  'llama.attention.head_count_kv': 3,
  'tokenizer.ggml.tokens': ['<s>', 'a', 'b'],
};

function typeOf(value: GgufValue): number {
  if (Array.isArray(value)) return TYPES.array;
  if (typeof value === 'string') return TYPES.string;
  return typeof value === 'boolean' ? TYPES.bool : TYPES.u32;
}

function bytesOf(value: GgufValue): number[] {
  if (typeof value === 'string') return text(value);
  if (typeof value === 'boolean') return [Number(value)];
  if (typeof value === 'number') return u32(value);
  return [...u32(typeOf(value[0]!)), ...u64(value.length), ...value.flatMap((each) => bytesOf(each))];
}

function text(value: string): number[] {
  const bytes = utf8(value);
  return [...u64(bytes.length), ...bytes];
}

function utf8(value: string): number[] {
  return [...new TextEncoder().encode(value)];
}

function u32(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
}

function u64(value: number): number[] {
  return [...u32(value), ...u32(0)];
}
