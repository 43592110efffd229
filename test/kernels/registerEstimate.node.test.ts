// registerEstimate.node.test.ts: the estimate that sizes of decode_registers are chosen by, beside what compilers made of them:
// bench/results/isa.json, as `npm run bench:isa` wrote it.
import { describe, expect, test } from 'vitest';
import { caseOf } from '../../bench/isa/cases.ts';
import { FAMILIES } from '../../bench/isa/families.ts';
import { spilled } from '../../bench/isa/statistics.ts';
import type { IsaRow } from '../../bench/schema/isaSchema.ts';
import { readIsaResults } from '../../scripts/resultFiles.ts';
import { checkShape, type ShapeOptions } from '../../src/kernels/shape.ts';
import { profileOf } from '../../src/kernels/profile.ts';
import type { FeatureOptions, KvType } from '../../src/index.ts';
import { liveNumbers, type RegisterSizes } from '../../src/kernels/liveNumbers.ts';
import { GPU_FACTS } from '../support/deviceFacts.ts';

const VENDORS = { radeon: 'amd', intel: 'intel', nouveau: 'nvidia', freedreno: 'qualcomm' } as const;

/** A pipeline of decode_registers with what was estimated for it. */
interface Estimated {
  readonly name: string;
  readonly vendor: (typeof VENDORS)[keyof typeof VENDORS];
  readonly row: IsaRow;
  readonly live: number;
  readonly budget: number;
}

const estimated = readIsaResults().flatMap(({ result }) => result.results.flatMap(estimatedOf));

function estimatedOf(row: IsaRow): Estimated[] {
  if (row.kernel !== 'decode_registers' || row.variant?.template !== 'registers') return [];
  const family = FAMILIES.find(({ name }) => name === row.family)!;
  const vendor = VENDORS[family.driver];
  const { heads, kvHeads, headDim, qLen, type } = caseOf(row.cases[0]!);
  const { loadsVWithK, liveNumbers: budget } = profileOf({ ...GPU_FACTS, vendor }).registers;
  const checked = checkShape({ numQHeads: heads, numKvHeads: kvHeads, headDim, qLen });
  const live = liveNumbers(checked, { kType: type, vType: type }, row.variant, loadsVWithK);
  return [{ name: `${row.family} ${row.cases[0]}`, vendor, row, live, budget }];
}

/** A step of 32 query heads and 8 KV heads. */
interface Step extends Pick<ShapeOptions, 'headDim' | 'vHeadDim' | 'qLen' | 'features'> {
  readonly kType: KvType;
  readonly vType?: KvType;
  readonly pageSize?: number;
}

const of = (vendor: string) => estimated.filter((each) => each.vendor === vendor);

describe('what fits by the estimate', () => {
  test('is most of what is chosen by default, on each vendor', () => {
    for (const vendor of Object.values(VENDORS)) {
      const all = of(vendor);
      expect(all.length, vendor).toBeGreaterThan(50);
      expect(all.filter(({ live, budget }) => live <= budget).length, vendor).toBeGreaterThan(
        0.9 * all.length,
      );
    }
  });

  test('does not spill', () => {
    expect(estimated.filter(({ row }) => spilled(row)).map(({ name }) => name)).toEqual([]);
  });

  // Seen in Mesa's compilers for Tiger Lake and Lunar Lake, which spilled one to four numbers of each; without the feature none.
  test.each<[KvType, number, FeatureOptions, RegisterSizes]>([
    ['f16', 1, { alibi: true }, { lanes: 16, tokens: 2, teamRows: 2, q: 'workgroup' }],
    ['f16', 1, { relativeBias: 128 }, { lanes: 16, tokens: 4, teamRows: 1, q: 'registers' }],
    ['f32', 1, { alibi: true }, { lanes: 16, tokens: 2, teamRows: 2, q: 'workgroup' }],
    ['int8', 1, { alibi: true }, { lanes: 16, tokens: 2, teamRows: 2, q: 'workgroup' }],
    ['int8', 4, { window: 1024 }, { lanes: 16, tokens: 4, teamRows: 1, q: 'registers' }],
    ['int4', 8, { window: 1024 }, { lanes: 16, tokens: 4, teamRows: 1, q: 'registers' }],
    ['int4', 1, { treeMask: true }, { lanes: 16, tokens: 4, teamRows: 1, q: 'registers' }],
  ])('is exceeded on Intel by what spilled: %s, %i positions, %o', (type, qLen, features, sizes) => {
    const { loadsVWithK, liveNumbers: budget } = profileOf({ ...GPU_FACTS, vendor: 'intel' }).registers;
    const live = (used: FeatureOptions) => {
      const shape = { numQHeads: 32, numKvHeads: 8, headDim: 128, qLen, features: used };
      return liveNumbers(checkShape(shape), { kType: type, vType: type }, sizes, loadsVWithK);
    };
    expect(live(features)).toBeGreaterThan(budget);
    expect(live({})).toBeLessThanOrEqual(budget);
  });

  const SHARED: RegisterSizes = { lanes: 16, tokens: 1, teamRows: 2, q: 'workgroup' };
  const PAIRS: RegisterSizes = { ...SHARED, tokens: 2 };

  // Seen in the same compilers, which spilled 1 to 20 numbers of the first of each two, and none of the second.
  test.each<[string, RegisterSizes, Step, Step]>([
    [
      'V is narrower than K',
      PAIRS,
      { headDim: 80, kType: 'f32', vType: 'f16' },
      { headDim: 80, kType: 'f32' },
    ],
    [
      'V alone has scales',
      PAIRS,
      { headDim: 128, kType: 'bf16', vType: 'int4' },
      { headDim: 128, kType: 'bf16' },
    ],
    [
      'K alone has scales',
      PAIRS,
      { headDim: 128, kType: 'int8', vType: 'f16' },
      { headDim: 128, kType: 'f16' },
    ],
    [
      'lanes have no second word',
      PAIRS,
      { headDim: 80, kType: 'f16', pageSize: 16 },
      { headDim: 80, kType: 'f16' },
    ],
    [
      'K has two words',
      SHARED,
      { headDim: 96, kType: 'int8', qLen: 2 },
      { headDim: 128, kType: 'int8', qLen: 2 },
    ],
    [
      'K has more words than V',
      SHARED,
      { headDim: 192, vHeadDim: 128, kType: 'int8', qLen: 8 },
      { headDim: 128, kType: 'int8', qLen: 8 },
    ],
    [
      'words of V have scales, and rows of K',
      { ...PAIRS, q: 'registers' },
      { headDim: 64, kType: 'int8', vType: 'int4', features: { alibi: true } },
      { headDim: 64, kType: 'int8', features: { alibi: true } },
    ],
    [
      'scales of words are found by dividing by 3',
      { ...PAIRS, teamRows: 1 },
      { headDim: 192, kType: 'int4' },
      { headDim: 128, kType: 'int4' },
    ],
  ])('is exceeded on Intel where %s', (_, sizes, spilling, fitting) => {
    const { loadsVWithK, liveNumbers: budget } = profileOf({ ...GPU_FACTS, vendor: 'intel' }).registers;
    const live = ({ kType, vType = kType, pageSize, ...shape }: Step) => {
      const cache = { kType, vType, ...(pageSize && { pageSize }) };
      return liveNumbers(checkShape({ numQHeads: 32, numKvHeads: 8, ...shape }), cache, sizes, loadsVWithK);
    };
    expect(live(spilling)).toBeGreaterThan(budget);
    expect(live(fitting)).toBeLessThanOrEqual(budget);
  });

  test('takes the registers that it was estimated for: NVIDIA 32 and one for each number', () => {
    const off = of('nvidia').map(({ row, live }) => row.registers - (32 + live));
    expect(Math.max(...off)).toBeLessThan(15);
    expect(Math.min(...off)).toBeGreaterThan(-15);
  });

  test('leaves 128 registers of NVIDIA and of AMD, and four waves of the newer Adreno', () => {
    const over = estimated.filter(({ vendor, row: { registers, resident, family } }) =>
      vendor === 'qualcomm' ? family === 'a740' && resident! < 4 : vendor !== 'intel' && registers > 128,
    );
    expect(over.map(({ name }) => name)).toEqual([]);
  });
});
