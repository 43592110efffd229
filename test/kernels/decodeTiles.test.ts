// decodeTiles.test.ts: decode_tiles against its twin: all element types, the sizes for each kind of device, odd sizes.
import { describe, expect, test } from 'vitest';
import { type StoredProblem, shapeOf } from '../../src/reference/problem.ts';
import {
  chooseTiles,
  decodeTiles as decodeTilesKernel,
  type TilesVariant,
} from '../../src/kernels/decodeTiles.ts';
import { checkVariant, variantName, workgroupsPerItem } from '../../src/kernels/fused.ts';
import { decodeTiles } from '../reference/decodeTiles.ts';
import { testDevice } from '../support/device.ts';
import { GPU_FACTS, SOFTWARE_FACTS, withSubgroups } from '../support/deviceFacts.ts';
import { check, checkBorders, type Fused, type Given, givenName, problemOf } from '../support/fusedCases.ts';
import { describeRunTimeNumbers } from '../support/fusedNumbers.ts';
import { F32_ROWS } from '../support/rowFormats.ts';
import { itemsOf } from '../support/runDecode.ts';

const device = await testDevice();

/** One linked shader, in the sizes chosen for a kind of device or in sizes of the test's own. */
interface Case extends Given {
  readonly sizes: 'gpu' | 'lavapipe' | 'swiftshader' | Omit<TilesVariant, 'template'>;
}

const FACTS = {
  gpu: GPU_FACTS,
  lavapipe: withSubgroups(SOFTWARE_FACTS, 8),
  swiftshader: withSubgroups(SOFTWARE_FACTS, 4),
};

const CONTROL: Case = { groupSize: 4, headDim: 64, types: ['f32', 'f32'], sizes: 'lavapipe' };

const f16 = ['f16', 'f16'] as const;
const sizes = (wgSize: number, tile: number, rowBlock: number, mixWords = 1) => ({
  sizes: { wgSize, tile, rowBlock, mixWords },
});
const gpu = { sizes: 'gpu' } as const;
const swiftshader = { sizes: 'swiftshader' } as const;

const CASES: readonly Case[] = [
  CONTROL,
  // Element types, alike; invocations of a CPU's sizes take the longest to compile, so that few of them have several rows.
  { ...CONTROL, groupSize: 2, types: f16 },
  { ...CONTROL, groupSize: 1, types: ['bf16', 'bf16'] },
  { ...CONTROL, groupSize: 1, types: ['int8', 'int8'] },
  { ...CONTROL, groupSize: 1, types: ['int4', 'int4'] },
  // Head dims, in mixed types; a row of int4 ends with a word of 16 elements at D 80 and 112.
  { ...CONTROL, headDim: 80, groupSize: 1, types: ['int4', 'bf16'] },
  { ...CONTROL, headDim: 96, groupSize: 1, types: ['f32', 'int8'] },
  { ...CONTROL, headDim: 112, groupSize: 1, types: ['bf16', 'int4'] },
  { ...CONTROL, headDim: 128, groupSize: 1, types: ['f16', 'int8'] },
  { ...CONTROL, headDim: 192, groupSize: 1, types: ['int8', 'f16'] },
  { ...CONTROL, headDim: 256, groupSize: 1, types: ['int8', 'int4'] },
  // Rows that end within a word; V longer or shorter than K, in the sizes of each kind of device.
  { ...CONTROL, headDim: 24, vHeadDim: 8, groupSize: 1, types: ['int8', 'int4'] },
  { ...CONTROL, headDim: 8, vHeadDim: 72, groupSize: 1, types: ['int4', 'int8'], ...swiftshader },
  { ...CONTROL, headDim: 8, vHeadDim: 40, groupSize: 3, types: ['f16', 'int8'], ...gpu },
  { ...CONTROL, headDim: 72, vHeadDim: 24, types: ['int8', 'f32'], ...gpu },
  { ...CONTROL, headDim: 512, vHeadDim: 320, types: f16, ...gpu },
  // Sizes for SwiftShader: an invocation mixes several words.
  { ...CONTROL, ...swiftshader, groupSize: 2, types: f16 },
  { ...CONTROL, ...swiftshader, groupSize: 1, types: ['int8', 'int4'] },
  // Sizes for GPUs: invocations left over when 64 is no multiple of a row's words; two to sixteen sets share keys and rows.
  { ...CONTROL, ...gpu, headDim: 80, groupSize: 2, types: f16 },
  { ...CONTROL, ...gpu, headDim: 112, groupSize: 3, types: ['int4', 'int8'] },
  { ...CONTROL, ...gpu, headDim: 192, groupSize: 2, types: ['bf16', 'f32'] },
  { ...CONTROL, ...gpu, headDim: 256, groupSize: 1, types: ['f16', 'int4'] },
  { ...CONTROL, ...gpu, groupSize: 71, types: f16 },
  // Several row blocks to a KV head: 18 blocks of 4 rows, the last of 3.
  { ...CONTROL, groupSize: 71, types: f16, ...sizes(16, 32, 4) },
  // Query positions: blocks that begin and end within a head's positions.
  { ...CONTROL, groupSize: 3, qLen: 5, ...sizes(16, 32, 4) },
  { ...CONTROL, groupSize: 1, qLen: 5, causal: false, ...sizes(16, 16, 2) },
  { ...CONTROL, groupSize: 1, qLen: 5, types: f16, ...sizes(8, 16, 5) },
  // Fewer keys in a tile than invocations: four parts score seven rows, two each; the second block has one row.
  { ...CONTROL, groupSize: 8, headDim: 128, ...sizes(64, 16, 7) },
  // Four keys to an invocation; the last block of three rows is not full.
  { ...CONTROL, ...sizes(16, 64, 3) },
  // Five sets: two share the rows, two the keys, one is left over.
  { ...CONTROL, groupSize: 5, types: ['f32', 'int8'], ...sizes(20, 24, 5) },
  // Three sets that share the keys, and two invocations left over.
  { ...CONTROL, groupSize: 2, types: f16, ...sizes(26, 24, 2) },
  // One set has to mix more rows than it should.
  { ...CONTROL, groupSize: 5, types: ['f32', 'int8'], ...sizes(4, 4, 5) },
  // Words of V that do not divide evenly: four invocations of three words cover ten, the last of them one.
  { ...CONTROL, headDim: 80, groupSize: 2, types: f16, ...sizes(4, 8, 2, 3) },
  // An invocation that mixes whole rows, and a workgroup of one that does everything.
  { ...CONTROL, groupSize: 1, types: f16, ...sizes(4, 4, 1, 8) },
  { ...CONTROL, groupSize: 1, types: ['f16', 'int4'], ...sizes(1, 1, 1, 2) },
];

function variantOf(c: Case, problem: StoredProblem): TilesVariant {
  if (typeof c.sizes === 'object') return { template: 'tiles', ...c.sizes };
  return chooseTiles(shapeOf(problem), problem, FACTS[c.sizes]);
}

function fusedOf(c: Case): (problem: StoredProblem) => Fused {
  return (problem) => {
    const shape = shapeOf(problem);
    const variant = variantOf(c, problem);
    checkVariant(shape, problem, variant, device.facts);
    return {
      kernel: decodeTilesKernel(shape, problem, variant, F32_ROWS),
      workgroups: workgroupsPerItem(shape, variant),
      twin: decodeTiles,
    };
  };
}

describe('decode_tiles', () => {
  const named = CASES.map(
    (c) => [`${givenName(c)} ${variantName(variantOf(c, problemOf(c, [1])))}`, c] as const,
  );

  test.each(named)('%s', async (_, c) => {
    await checkBorders(device, c, variantOf(c, problemOf(c, [1])).tile, fusedOf(c));
  });

  test('no case twice', () => expect(new Set(named.map(([name]) => name)).size).toBe(named.length));

  // Parts of two rows and blocks of seven: the last part's second row is the first of the next block.
  test('a row is held against its own maximum, not that of the next block', async () => {
    const c: Case = { ...CONTROL, groupSize: 8, headDim: 128, ...sizes(64, 16, 7) };
    const problem = problemOf(c, [40]);
    for (let h = 7; h < 16; h += 8) for (let d = 0; d < 128; d++) problem.q[h * 128 + d]! *= 1000;
    await check(device, problem, itemsOf([40], 40), fusedOf(c)(problem));
  });
});

describeRunTimeNumbers('decode_tiles', device, CONTROL, fusedOf(CONTROL));
