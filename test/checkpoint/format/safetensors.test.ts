// safetensors.test.ts: headers good and bad, written and read back, against bytes of the reference implementation.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GqaError } from '../../../src/device/errors.ts';
import { CheckpointError } from '../../../src/checkpoint/format/checkpointError.ts';
import {
  DTYPE_BYTES,
  isDtype,
  parseHeader,
  readHeaderLength,
  specByteLength,
  serializeHeader,
  tensorByteLength,
  toFloat32,
  type SafetensorsHeader,
  type TensorSpec,
} from '../../../src/checkpoint/format/safetensors.ts';

const DTYPES = [
  ...(['F64', 'I64', 'U64', 'F32', 'I32', 'U32', 'F16', 'BF16', 'I16', 'U16'] as const),
  ...(['I8', 'U8', 'BOOL', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'C64'] as const),
];

// Written by safetensors 0.8.0 (Rust, Python binding): b f16 [1.5, -2], a f32 [[1, 2, 3]], s i64 7, metadata format=np.
const REFERENCE_HEADER =
  '{"__metadata__":{"format":"np"},"s":{"dtype":"I64","shape":[],"data_offsets":[0,8]},' +
  '"a":{"dtype":"F32","shape":[1,3],"data_offsets":[8,20]},"b":{"dtype":"F16","shape":[2],"data_offsets":[20,24]}}     ';
const REFERENCE_FILE = concat(
  Uint8Array.of(0xc8, 0, 0, 0, 0, 0, 0, 0),
  utf8(REFERENCE_HEADER),
  Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0),
  Uint8Array.of(0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40),
  Uint8Array.of(0, 0x3e, 0, 0xc0),
);
const REFERENCE_TENSORS = [
  { name: 's', dtype: 'I64', shape: [], begin: 0, end: 8 },
  { name: 'a', dtype: 'F32', shape: [1, 3], begin: 8, end: 20 },
  { name: 'b', dtype: 'F16', shape: [2], begin: 20, end: 24 },
] as const;

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Parses header text in front of `dataBytes` bytes of data. */
function parse(header: string | Uint8Array, dataBytes = 0): SafetensorsHeader {
  const json = typeof header === 'string' ? utf8(header) : header;
  return parseHeader(json, 8 + json.byteLength + dataBytes, 'm.st');
}

/** A whole file as a reader takes it: prefix first, then header. */
function parseFile(file: Uint8Array, fileSize = file.byteLength): SafetensorsHeader {
  const length = readHeaderLength(file.subarray(0, 8), fileSize, 'm.st');
  return parseHeader(file.subarray(8, 8 + length), fileSize, 'm.st');
}

/** The message of the CheckpointError that `f` throws. */
function refusal(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    if (error instanceof CheckpointError) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Header entry of a U8 tensor at these offsets. */
function u8(begin: number, end: number): string {
  return `{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`;
}

/** Header of tensors "a" and "b", U8, at the offsets given. */
function two(a: [number, number], b: [number, number]): string {
  return `{"a":${u8(...a)},"b":${u8(...b)}}`;
}

/** Header of tensor "w", U8 [4] at [0, 4], but for the fields given as JSON. */
function one(fields: Record<string, string | undefined>): string {
  const all = { dtype: '"U8"', shape: '[4]', data_offsets: '[0,4]', ...fields };
  const kept = Object.entries(all).filter(([, value]) => value !== undefined);
  return `{"w":{${kept.map(([key, value]) => `"${key}":${value}`).join(',')}}}`;
}

function prefix(length: bigint): Uint8Array {
  return new Uint8Array(new BigUint64Array([length]).buffer);
}

describe('a good file', () => {
  it('of the reference implementation is read', () => {
    const { tensors, metadata, dataStart } = parseFile(REFERENCE_FILE);
    expect([...tensors.values()]).toEqual(REFERENCE_TENSORS);
    expect([...tensors.keys()]).toEqual(['s', 'a', 'b']);
    expect({ ...metadata }).toEqual({ format: 'np' });
    expect(dataStart).toBe(208);
    const data = REFERENCE_FILE.subarray(dataStart);
    expect([...toFloat32('F32', data.subarray(8, 20))]).toEqual([1, 2, 3]);
    expect([...toFloat32('F16', data.subarray(20, 24))]).toEqual([1.5, -2]);
  });

  it('has the header bytes of the reference implementation', () => {
    expect(serializeHeader(REFERENCE_TENSORS, { format: 'np' })).toEqual(REFERENCE_FILE.subarray(0, 208));
  });

  it('has elements of the sizes their names tell', () => {
    const bits = DTYPES.map((dtype) => [dtype, dtype === 'BOOL' ? 8 : Number(/\d+/.exec(dtype))] as const);
    expect(DTYPE_BYTES).toEqual(Object.fromEntries(bits.map(([dtype, count]) => [dtype, count / 8])));
  });

  it('may hold nothing, with or without padding', () => {
    expect(parse('{}').tensors.size).toBe(0);
    expect(parse('{}      ')).toMatchObject({ dataStart: 16, metadata: {} });
    expect(serializeHeader([])).toEqual(concat(Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0), utf8('{}      ')));
  });

  it('goes by offset, whatever the order in the header', () => {
    const header = parse(`{"c":${u8(2, 3)},"1":${u8(0, 2)},"b":${u8(2, 2)}}`, 3);
    expect([...header.tensors.keys()]).toEqual(['1', 'b', 'c']);
  });

  it('may be larger than 4 GiB: only sizes are looked at', () => {
    const shape = [3, 2 ** 31];
    const header = serializeHeader([{ name: 'w', dtype: 'BF16', shape }]);
    const { tensors } = parseHeader(header.subarray(8), header.byteLength + 3 * 2 ** 32, 'm.st');
    expect(tensors.get('w')).toEqual({ name: 'w', dtype: 'BF16', shape, begin: 0, end: 12_884_901_888 });
  });

  it('may use the names of object members', () => {
    const names = ['__proto__', 'constructor', 'toString', ''];
    const metadata = { ['__proto__']: 'p', constructor: 'c' };
    const specs = names.map((name) => ({ name, dtype: 'U8', shape: [0] }) as const);
    const header = parseFile(serializeHeader(specs, metadata));
    expect(new Set(header.tensors.keys())).toEqual(new Set(names));
    expect(new Map(Object.entries(header.metadata))).toEqual(new Map(Object.entries({ ...metadata })));
    expect(Object.keys(header.metadata)).toEqual(['__proto__', 'constructor']);
    expect(parse('{}').metadata['constructor']).toBeUndefined();
    expect(parse('{}').tensors.get('constructor')).toBeUndefined();
  });
});

describe('a bad length', () => {
  const cap = 'is over the limit of 100000000; is it a safetensors file?';
  it.each([
    ['short', Uint8Array.of(1, 0, 0), 3, 'a safetensors file has at least 8 bytes, this one has 3'],
    ['zero', prefix(0n), 100, 'header length must not be 0'],
    ['over the file', prefix(93n), 100, 'header length 93 does not fit in a file of 100 bytes'],
    ['over the cap', prefix(100_000_001n), 2 ** 40, `header length 100000001 ${cap}`],
    ['2^64 - 1', prefix(2n ** 64n - 1n), 2 ** 40, `header length 18446744073709552000 ${cap}`],
  ])('is refused: %s', (_, bytes, fileSize, message) => {
    expect(refusal(() => readHeaderLength(bytes, fileSize, 'm.st'))).toBe(`m.st: ${message}`);
  });

  it('just inside the rules is taken', () => {
    expect(readHeaderLength(prefix(92n), 100, 'm.st')).toBe(92);
    expect(readHeaderLength(prefix(100_000_000n), 100_000_008, 'm.st')).toBe(100_000_000);
  });

  it('is refused for a header handed over by itself too', () => {
    expect(refusal(() => parseHeader(new Uint8Array(0), 8, 'm'))).toBe('m: header length must not be 0');
    const message = 'm: header length 2 does not fit in a file of 9 bytes';
    expect(refusal(() => parseHeader(utf8('{}'), 9, 'm'))).toBe(message);
  });
});

// Headers in front of 4 bytes of data, and how the message begins behind the file's name.
type BadHeaders = readonly (readonly [title: string, header: string | Uint8Array, message: string])[];

const BAD_TEXT: BadHeaders = [
  ['not UTF-8', concat(utf8('{"a'), Uint8Array.of(0xff), utf8('":1}')), 'header is not UTF-8'],
  ['not JSON', '{"w":', 'header is not JSON: SyntaxError'],
  ['padded with zeros', '{}\0\0', 'header is not JSON: SyntaxError'],
  ['behind a byte order mark', '\uFEFF{}', 'header is not JSON: SyntaxError'],
  ['behind a space', ' {}', 'header must begin with "{", got " "'],
  ['an array', '[1]', 'header must be an object, got an array of 1'],
  ['null', 'null', 'header must be an object, got null'],
  ['name twice', `{"w":1 , "\\u0077" :2}`, 'tensor name "w" appears twice'],
  ['escaped name twice', String.raw`{"\"{\\":1,"\u0022\u007b\\":2}`, String.raw`tensor name "\"{\\" appears`],
  ['__proto__ twice', '{"__proto__":1,"__proto__":2}', 'tensor name "__proto__" appears twice'],
  ['metadata twice', '{"__metadata__":{},"__metadata__":{}}', 'tensor name "__metadata__" appears'],
  ['field twice', '{"v":[{}],"w":{"dtype":1,"dtype":1}}', '"w": field "dtype" appears twice'],
  ['bad surrogate', String.raw`{"a\ud800":1}`, String.raw`string "a\ud800" has an unpaired surrogate`],
  ['metadata an array', '{"__metadata__":[]}', '__metadata__: must be an object of strings, got an array'],
  ['metadata null', '{"__metadata__":null}', '__metadata__: must be an object of strings, got null'],
  ['metadata 2', '{"__metadata__":{"a":"1","b":2}}', '__metadata__: "b" must be a string, got 2'],
];

const BAD_PLACES: BadHeaders = [
  ['truncated', two([0, 4], [4, 5]), `tensor "b": bytes 4 to 5 pass the end of the file's 4 data bytes`],
  ['overlap', two([1, 4], [0, 2]), 'tensor "a": bytes 1 to 4 overlap the bytes before, which end at 2'],
  ['same place', two([0, 4], [0, 4]), 'tensor "b": bytes 0 to 4 overlap the bytes before, which end at 4'],
  ['empty inside', two([0, 4], [2, 2]), 'tensor "b": bytes 2 to 2 overlap the bytes before, which end at 4'],
  [
    'hole',
    two([0, 2], [3, 4]),
    'tensor "b": bytes 3 to 4 leave a hole after the bytes before, which end at 2',
  ],
  ['hole first', two([2, 4], [1, 2]), 'tensor "b": bytes 1 to 2 leave a hole after the bytes before'],
  ['overlong', two([0, 1], [1, 3]), '1 bytes follow the last tensor, which ends at 3'],
  ['overlong, no tensors', '{}', '4 bytes follow the last tensor, which ends at 0'],
];

// Values of "w", or of its fields, and how the message goes on.
const PAIR = 'data_offsets must be [begin, end] with begin <= end, got';
const BAD_TENSORS: BadHeaders = [
  ['a number', '{"w":1}', 'must be an object, got 1'],
  ['an array', '{"w":[1,2]}', 'must be an object, got an array of 2'],
  ['no dtype', one({ dtype: undefined }), 'field "dtype" is missing'],
  ['no shape', one({ shape: undefined }), 'field "shape" is missing'],
  ['no data_offsets', one({ data_offsets: undefined }), 'field "data_offsets" is missing'],
  ['strides', one({ strides: '[1]' }), 'unknown field "strides"; a tensor has dtype, shape, data_offsets'],
  ['__proto__', one({ ['__proto__']: '{}' }), 'unknown field "__proto__"'],
  ['dtype F4', one({ dtype: '"F4"' }), 'F4 [4] takes 2 bytes, but data_offsets are [0, 4]'],
  ['dtype u8', one({ dtype: '"u8"' }), 'unknown dtype "u8"'],
  ['dtype constructor', one({ dtype: '"constructor"' }), 'unknown dtype "constructor"'],
  ['dtype __proto__', one({ dtype: '"__proto__"' }), 'unknown dtype "__proto__"'],
  ['dtype null', one({ dtype: 'null' }), 'unknown dtype null'],
  ['shape null', one({ shape: 'null' }), 'shape must be an array, got null'],
  ['shape 4', one({ shape: '4' }), 'shape must be an array, got 4'],
  ['data_offsets {}', one({ data_offsets: '{}' }), 'data_offsets must be an array, got an object'],
  ['one offset', one({ data_offsets: '[4]' }), `${PAIR} [4]`],
  ['three offsets', one({ data_offsets: '[0,4,4]' }), `${PAIR} [0, 4, 4]`],
  ['offsets reversed', one({ data_offsets: '[4,0]' }), `${PAIR} [4, 0]`],
  ['2^60 elements', one({ shape: '[1073741824,1073741824]' }), 'U8 [1073741824, 1073741824] takes more than'],
  [
    '2^53 bytes',
    one({ dtype: '"F64"', shape: '[1125899906842624]' }),
    'F64 [1125899906842624] takes more than',
  ],
  ['too long', one({ shape: '[3]' }), 'U8 [3] takes 3 bytes, but data_offsets are [0, 4]'],
  ['too short', one({ dtype: '"F32"', shape: '[2]' }), 'F32 [2] takes 8 bytes, but data_offsets are [0, 4]'],
  ['scalar', one({ dtype: '"F16"', shape: '[]' }), 'F16 [] takes 2 bytes, but data_offsets are [0, 4]'],
];

const WHOLE = 'must be a whole number from 0 to 2^53 - 1, got';
const BAD_SIZES = [
  ['-2', '-2'],
  ['1.5', '1.5'],
  ['null', 'null'],
  ['true', 'true'],
  ['"4"', '"4"'],
  ['[4]', 'an array of 1'],
  ['{}', 'an object'],
  ['9007199254740992', '9007199254740992'],
  ['1e999', 'Infinity'],
] as const;

describe('a bad header', () => {
  it.each([...BAD_TEXT, ...BAD_PLACES])('is refused: %s', (_, header, message) => {
    const start = `m.st: ${message}`;
    expect(refusal(() => parse(header, 4)).slice(0, start.length)).toBe(start);
  });

  it.each(BAD_TENSORS)('is refused for a tensor: %s', (_, header, message) => {
    const start = `m.st: tensor "w": ${message}`;
    expect(refusal(() => parse(header, 4)).slice(0, start.length)).toBe(start);
  });

  it.each(BAD_SIZES)('is refused for a size or offset: %s', (size, given) => {
    const shape = refusal(() => parse(one({ shape: `[2,${size}]` }), 4));
    expect(shape).toBe(`m.st: tensor "w": shape[1] ${WHOLE} ${given}`);
    const offsets = refusal(() => parse(one({ data_offsets: `[${size},4]` }), 4));
    expect(offsets).toBe(`m.st: tensor "w": data_offsets[0] ${WHOLE} ${given}`);
  });

  it('is not quoted at length', () => {
    expect(refusal(() => parse(one({ dtype: `"${'x'.repeat(1e6)}"` }), 4)).length).toBeLessThan(400);
    expect(refusal(() => parse(`{"${'x'.repeat(1e6)}":1}`, 4)).length).toBeLessThan(200);
    expect(refusal(() => parse(one({ shape: `[${'2,'.repeat(1e5)}2]` }), 4)).length).toBeLessThan(400);
  });

  it('of deep nesting or a long string costs no stack', () => {
    expect(refusal(() => parse(one({ shape: `${'[{"a":'.repeat(1e5)}1${'}]'.repeat(1e5)}` }), 4))).toContain(
      'an object',
    );
    expect(parse(`{"__metadata__":{"a":"${String.raw`\n`.repeat(1e6)}"}}`).metadata['a']).toHaveLength(1e6);
  });

  it('is an error of the library', () => {
    const error = new CheckpointError('m');
    expect(error).toBeInstanceOf(GqaError);
    expect(error).toMatchObject({ name: 'CheckpointError', code: 'checkpoint', message: 'm' });
  });
});

/** A U8 tensor to write, or one that is wrong in a way the types do not allow. */
function spec(name: string, shape: number[], dtype: unknown = 'U8'): TensorSpec {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { name, shape, dtype } as TensorSpec;
}

describe('serializeHeader', () => {
  it.each([
    ['a reserved name', [spec('__metadata__', [1])], 'tensor "__metadata__": the name is reserved'],
    ['a name twice', [spec('a', [1]), spec('a', [2])], 'tensor name "a" appears twice'],
    ['a bad surrogate', [spec('\udc00', [1])], String.raw`string "\udc00" has an unpaired surrogate`],
    ['half a byte', [spec('a', [1], 'F4')], 'tensor "a": F4 [1] takes 0.5 bytes, which is no whole number'],
    [
      'a dtype that does not tell its size',
      [spec('a', [1], 'NF3')],
      'tensor "a": dtype "NF3" does not say how many bytes it takes',
    ],
    ['a size of NaN', [spec('a', [NaN])], `tensor "a": shape[0] ${WHOLE} NaN`],
    ['a negative size', [spec('a', [-1])], `tensor "a": shape[0] ${WHOLE} -1`],
    ['2^80 elements', [spec('a', [2 ** 40, 2 ** 40])], 'tensor "a": U8 [1099511627776, 1099511627776] takes'],
    [
      '2^53 bytes together',
      [spec('a', [2 ** 52]), spec('b', [2 ** 52])],
      `tensor "b": data_offsets[1] ${WHOLE}`,
    ],
  ])('refuses %s', (_, tensors, message) => {
    expect(refusal(() => serializeHeader(tensors, {}, 'm.st'))).toContain(`m.st: ${message}`);
  });

  it('round trips names, dtypes, shapes and metadata', () => {
    const anyText = fc.string({ unit: 'binary' });
    const text = fc.oneof(
      anyText,
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('__proto__', '7', '"\\{:'),
    );
    const tensor = fc.record({
      name: text.filter((value) => value !== '__metadata__'),
      dtype: fc.constantFrom(...DTYPES),
      shape: fc.array(fc.nat(5), { maxLength: 4 }),
    });
    const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 });
    fc.assert(fc.property(tensors, fc.dictionary(text, anyText, { maxKeys: 4 }), expectRoundTrip));
  });
});

function expectRoundTrip(tensors: readonly TensorSpec[], metadata: Record<string, string>): void {
  const expected = new Map<string, unknown>();
  let begin = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = begin + specByteLength({ dtype, shape })!;
    expected.set(name, { name, dtype, shape, begin, end });
    begin = end;
  }
  const bytes = serializeHeader(tensors, metadata);
  const header = parseFile(bytes, bytes.byteLength + begin);
  expect(bytes.byteLength % 8).toBe(0);
  expect(header.dataStart).toBe(bytes.byteLength);
  expect(header.tensors).toEqual(expected);
  expect(new Map(Object.entries(header.metadata))).toEqual(new Map(Object.entries(metadata)));
}

describe('a file with random damage', () => {
  it('is read with all offsets inside it, or refused', () => {
    let seed = 12345;
    // Numerical Recipes' generator; the upper bits are the random ones.
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const count = { read: 0, refused: 0 };
    for (let round = 0; round < 2000; round++) {
      const file = REFERENCE_FILE.slice();
      for (let hits = random(3) ? 1 : 3; hits > 0; hits--) {
        file[random(208)] = random(2) ? random(256) : 0x20 + random(0x5f);
      }
      try {
        expectInside(parseFile(file), file.byteLength);
        count.read++;
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        count.refused++;
      }
    }
    // Both happen: a changed letter of a name is harmless, most else is not.
    expect(count.read).toBeGreaterThan(20);
    expect(count.refused).toBeGreaterThan(1000);
  });
});

function expectInside({ tensors, dataStart }: SafetensorsHeader, fileSize: number): void {
  let covered = dataStart;
  for (const { begin, end, dtype, shape } of tensors.values()) {
    expect(dataStart + begin).toBe(covered);
    // Of a dtype that nobody knows only the place can be wrong.
    if (isDtype(dtype)) expect(end - begin).toBe(tensorByteLength(dtype, shape));
    covered = dataStart + end;
  }
  expect(covered).toBe(fileSize);
}

function shifted(bytes: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(9), bytes).subarray(1);
}

describe('toFloat32', () => {
  it('decodes bf16, f16 and f32, aligned or not', () => {
    const bf16 = new Uint8Array(Uint16Array.of(0x3f80, 0xc049, 0x7f80, 0x0001, 0x8000).buffer);
    expect([...toFloat32('BF16', bf16)]).toEqual([1, -3.140625, Infinity, 2 ** -133, -0]);
    expect(toFloat32('BF16', Uint8Array.of(0xc0, 0x7f))[0]).toBeNaN();
    const f16 = new Uint8Array(Uint16Array.of(0x3c00, 0x0001, 0xfbff).buffer);
    expect([...toFloat32('F16', f16)]).toEqual([1, 2 ** -24, -65504]);
    const f32 = new Uint8Array(Float32Array.of(0.1, -3e38).buffer);
    expect([...toFloat32('F32', f32)]).toEqual([Math.fround(0.1), Math.fround(-3e38)]);
    expect(toFloat32('BF16', shifted(bf16))).toEqual(toFloat32('BF16', bf16));
    expect(toFloat32('F16', shifted(f16))).toEqual(toFloat32('F16', f16));
    expect(toFloat32('F32', shifted(f32))).toEqual(toFloat32('F32', f32));
    expect(toFloat32('F32', new Uint8Array(0))).toHaveLength(0);
  });

  it('gives memory of its own', () => {
    const bytes = new Uint8Array(Float32Array.of(1).buffer);
    toFloat32('F32', bytes)[0] = 2;
    expect([...bytes]).toEqual([0, 0, 0x80, 0x3f]);
  });

  it('refuses other dtypes and broken elements', () => {
    expect(refusal(() => toFloat32('I64', new Uint8Array(8)))).toBe(
      'toFloat32: dtype I64 cannot be read as f32; F32, F16 and BF16 can',
    );
    expect(refusal(() => toFloat32('F32', new Uint8Array(6)))).toBe(
      'toFloat32: 6 bytes are not whole F32 elements of 4 bytes',
    );
  });
});
