// headerFuzz.ts: safetensors files with damaged headers, and the real loader let loose on them.
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '../../src/checkpoint/format/checkpointError.ts';
import { SafetensorsFile } from '../../src/checkpoint/format/file.ts';
import { isDtype, tensorByteLength } from '../../src/checkpoint/format/safetensors.ts';

/** What came of many damaged files. */
export interface FuzzResult {
  readonly read: number;
  readonly refused: number;
  readonly slowestMs: number;
  /** Largest growth of the process's high-water mark of memory by one file, in bytes. */
  readonly largestGrowth: number;
}

/** A file to write: its first bytes, and its size, which may be larger (the rest is a hole). */
interface Damaged {
  readonly bytes: Buffer;
  readonly size: number;
}

type Random = (below: number) => number;

function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function fileOf(header: string, dataBytes: number, length = BigInt(Buffer.byteLength(header))): Damaged {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length & 0xffffffffffffffffn);
  const bytes = Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(dataBytes, 1)]);
  return { bytes, size: bytes.length };
}

const DTYPES = ['F32', 'F16', 'BF16', 'I64', 'U8', 'BOOL', 'F8_E4M3', 'F4', 'f32', 'constructor', ''];
const NUMBERS = [
  '-1',
  '0',
  '1',
  '4',
  '1.5',
  '1e999',
  '-0',
  '9007199254740991',
  '9007199254740993',
  '1e21',
  'null',
  '[]',
  '"4"',
  'true',
];
const LENGTHS = [
  0n,
  1n,
  7n,
  2n ** 31n,
  2n ** 32n,
  10_000_000_000n,
  99_999_999n,
  100_000_001n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** A sound header of a few tensors. */
function soundHeader(random: Random): { json: string; dataBytes: number } {
  const count = 1 + random(random(20) === 0 ? 200 : 6);
  let begin = 0;
  const entries = Array.from({ length: count }, (_, i) => {
    const shape = Array.from({ length: random(4) }, () => 1 + random(4));
    const end = begin + 4 * shape.reduce((a, b) => a * b, 1);
    const entry = `"model.layers.${i}.w":{"dtype":"F32","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`;
    begin = end;
    return entry;
  });
  const metadata = random(2) ? ['"__metadata__":{"format":"pt"}'] : [];
  return { json: `{${[...metadata, ...entries].join(',')}}`, dataBytes: begin };
}

/** One of the ways a header goes wrong, by the words of its text or by its bytes. */
const DAMAGES: readonly ((json: string, dataBytes: number, random: Random) => Damaged)[] = [
  (json, data, random) => {
    const { bytes } = fileOf(json, data);
    for (let hits = 1 + random(4); hits > 0; hits--) bytes[random(8 + json.length)] = random(256);
    return { bytes, size: bytes.length };
  },
  (json, data, random) => fileOf(json, data, LENGTHS[random(LENGTHS.length)]),
  (json, data, random) => fileOf(json, data, BigInt(json.length + random(9) - 4)),
  (json, data, random) => {
    const { bytes } = fileOf(json, data);
    return { bytes: bytes.subarray(0, random(bytes.length)), size: 0 };
  },
  (json, data, random) => fileOf(json, data + 1 + random(100)),
  (json, data, random) => replaceOne(json, data, /-?\d+/g, NUMBERS[random(NUMBERS.length)]!, random),
  (json, data, random) => replaceOne(json, data, /"F32"/g, `"${DTYPES[random(DTYPES.length)]!}"`, random),
  (json, data, random) => replaceOne(json, data, /"model[^"]*"/g, '"model.layers.0.w"', random),
  (json, data, random) => replaceOne(json, data, /"(dtype|shape|data_offsets)"/g, '"__proto__"', random),
  (json, data, random) => replaceOne(json, data, /[{}[\]:,]/g, '{}[]:,'[random(6)]!, random),
  (json, data, random) => {
    const at = random(json.length);
    const piece = json.slice(random(json.length)).slice(0, random(60));
    return fileOf(json.slice(0, at) + piece + json.slice(at), data);
  },
  (json, data, random) => {
    const depth = 1 + random(5000);
    const nest = random(2) ? ['[', ']'] : ['{"a":', '}'];
    return replaceOne(
      json,
      data,
      /\[[^\]]*\]/g,
      `${nest[0]!.repeat(depth)}1${nest[1]!.repeat(depth)}`,
      random,
    );
  },
  (json, data, random) => fileOf(json.replace('}', `,"\\ud800${'x'.repeat(random(2000))}":1}`), data),
];

function replaceOne(json: string, data: number, pattern: RegExp, by: string, random: Random): Damaged {
  const hits = [...json.matchAll(pattern)];
  const hit = hits[random(hits.length)];
  if (!hit) return fileOf(json, data);
  return fileOf(json.slice(0, hit.index) + by + json.slice(hit.index + hit[0].length), data);
}

/** Now and then a file that claims a long header and is long enough, being a hole. */
function holed({ bytes }: Damaged, random: Random): Damaged {
  const long = Buffer.from(bytes);
  if (long.length < 9) return { bytes: long, size: long.length };
  long.writeBigUInt64LE([99_999_000n, 50_000_000n, 10_000_000_000n][random(3)]!);
  return { bytes: long, size: 11_000_000_000 };
}

/**
 * Opens `rounds` damaged files, one after the other, under `folder`. Each must be read with every tensor inside the file,
 * or refused with a CheckpointError; anything else is thrown, with the seed and round that bring it back.
 */
export async function fuzzHeaders(folder: string, rounds: number, seed = 1): Promise<FuzzResult> {
  const path = join(folder, 'fuzz.safetensors');
  const count = { read: 0, refused: 0 };
  let [slowestMs, largestGrowth] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    const random = randomOf(seed * 1_000_003 + round * 7919);
    // The generator's first numbers follow the seed closely.
    for (let i = 0; i < 3; i++) random(1);
    const { json, dataBytes } = soundHeader(random);
    const damaged = DAMAGES[random(DAMAGES.length)]!(json, dataBytes, random);
    await put(path, round % 500 === 499 ? holed(damaged, random) : damaged);
    const before = process.resourceUsage().maxRSS;
    const start = performance.now();
    try {
      count[await tryFile(path)]++;
    } catch (cause) {
      throw new Error(`seed ${seed}, round ${round}: ${String(cause)}`, { cause });
    }
    slowestMs = Math.max(slowestMs, performance.now() - start);
    largestGrowth = Math.max(largestGrowth, (process.resourceUsage().maxRSS - before) * 1024);
  }
  await rm(path, { force: true });
  return { ...count, slowestMs, largestGrowth };
}

async function put(path: string, { bytes, size }: Damaged): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, bytes);
  if (size <= bytes.length) return;
  const file = await open(path, 'r+');
  await file.truncate(size);
  await file.close();
}

async function tryFile(path: string): Promise<'read' | 'refused'> {
  try {
    const file = await SafetensorsFile.open(path);
    try {
      const { tensors, dataStart } = file.header;
      for (const { begin, end, dtype, shape } of tensors.values()) {
        // Of a dtype that nobody knows only the place can be wrong.
        const bytes = isDtype(dtype) ? tensorByteLength(dtype, shape) : end - begin;
        const sound = begin >= 0 && end >= begin && end - begin === bytes;
        if (!sound || dataStart + end > file.byteLength) throw new Error('a tensor lies outside the file');
      }
      for (const name of tensors.keys()) await file.read(name);
      return 'read';
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof CheckpointError) return 'refused';
    throw error;
  }
}
