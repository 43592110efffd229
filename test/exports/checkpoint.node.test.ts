// checkpoint.node.test.ts: all functions of the entry `gqa-webgpu/checkpoint`, with everything that their arguments are not.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as library from '../../src/checkpoint.ts';
import { CHECKPOINTS, writeCheckpoint } from '../support/checkpoints.ts';
import {
  EMPTY,
  functionsOf,
  LIST,
  methodsOf,
  nothing,
  testCalls,
  type Calls,
} from '../support/wrongValues.ts';

let folder: string;
let model: string;
let file: library.SafetensorsFile;
let made = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-exports-'));
  model = await writeCheckpoint(join(folder, 'source'), CHECKPOINTS.llama!);
  file = await library.SafetensorsFile.open(join(model, 'model.safetensors'));
});

afterAll(async () => {
  await file.close();
  rmSync(folder, { recursive: true, force: true });
});

const NAME = 'model.norm.weight';
const attention = (role: string) => ({
  role,
  name: `model.layers.{layer}.self_attn.${role}_proj.weight`,
  transposed: false,
});

const options = () => ({
  model,
  out: join(folder, `out${made++}`),
  kvHeads: 2,
  method: 'mean',
  grouping: 'neighbours',
  headMap: 'contiguous',
  renorm: true,
  seed: 1,
  map: ['q', 'k', 'v', 'o'].map(attention),
  positions: { pairing: 'half', rotaryDims: 8 },
  shards: { index: 0, of: 1 },
  hashFiles: false,
  tool: 'a tool',
  onProgress: nothing,
});

const TINY = fileURLToPath(new URL('../checkpoint/model/families/llama', import.meta.url));

const LEFT_OUT = [
  'method',
  'grouping',
  'headMap',
  'renorm',
  'seed',
  'map',
  'positions',
  'shards',
  'hashFiles',
];

const FUNCTIONS: Calls = {
  convertFolder: {
    call: library.convertFolder,
    args: () => [options()],
    also: {
      ...Object.fromEntries(LEFT_OUT.map((name) => [`0.${name}`, [undefined]])),
      '0.out': ['x'],
      '0.renorm': [undefined, true],
      '0.hashFiles': [undefined, true],
      '0.tool': [undefined, 'x'],
      '0.onProgress': [undefined, nothing],
      ...Object.fromEntries([0, 1, 2, 3].map((i) => [`0.map.${i}.transposed`, [undefined, true]])),
    },
  },
  openModel: {
    call: async (path: string, heads: library.ConversionOptions) =>
      (await library.openModel(path, heads)).close(),
    args: () => [
      TINY,
      { kvHeads: 1, method: 'mean', grouping: 'neighbours', headMap: 'contiguous', renorm: true, seed: 1 },
    ],
    also: { 1: [undefined], '1.renorm': [true] },
  },
  writeSafetensors: {
    call: library.writeSafetensors,
    args: () => [
      join(folder, 'written.safetensors'),
      [{ name: 'a', dtype: 'U8', shape: [1], data: new Uint8Array(1) }],
      { key: 'value' },
    ],
    also: {
      0: ['x'],
      1: [LIST],
      '1.0.name': ['x', ''],
      '1.0.shape': [LIST],
      2: [undefined, EMPTY],
      '2.key': ['x', ''],
    },
  },
};

const METHODS: Calls = {
  'SafetensorsFile.read': { call: (name) => file.read(name), args: () => [NAME] },
  'SafetensorsFile.readFloat32': { call: (name) => file.readFloat32(name), args: () => [NAME] },
  'SafetensorsFile.checkFloat32': { call: (name) => file.checkFloat32(name), args: () => [NAME] },
  'SafetensorsFile.readBytes': {
    call: (begin, into) => file.readBytes(begin, into),
    args: () => [0, new Uint8Array(4)],
  },
  'SafetensorsFile.open': {
    call: async (path) => (await library.SafetensorsFile.open(path)).close(),
    args: () => [join(model, 'model.safetensors')],
  },
};

// A name is right or wrong by what the file has, and a path by what the disk has.
const SAYS =
  /expected .*got |must be one of .*got |there is no option |not in the file, which has|cannot be (read|opened): ENOENT/s;

testCalls({ ...FUNCTIONS, ...METHODS }, () => true, SAYS);

test('all that is exported is here', () => {
  expect(functionsOf(library)).toEqual(Object.keys(FUNCTIONS).toSorted());
  const known = [...Object.keys(METHODS), 'SafetensorsFile.close'];
  expect(methodsOf(library).filter((name) => !known.includes(name))).toEqual([]);
});
