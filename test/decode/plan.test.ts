// plan.test.ts: plans without a device: split lengths and bytes worked out by hand, overrides, refusals.
import { describe, expect, test } from 'vitest';
import { shapeOf } from '../../src/reference/problem.ts';
import { CACHE_OPTIONS } from '../../src/cache/layout.ts';
import { pickKnown } from '../../src/device/options.ts';
import {
  cacheLayout,
  ShapeError,
  type CacheOptions,
  type DecodePlan,
  type DeviceFacts,
  type KvType,
  type PlanContext,
  type ShapeOptions,
} from '../../src/index.ts';
import { planDecode } from '../../src/decode/plan.ts';
import { partialBytes, planContext } from '../../src/decode/planContext.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { GPU_FACTS, SOFTWARE_FACTS } from '../support/deviceFacts.ts';
import { message } from '../support/failure.ts';

interface Given extends Omit<ShapeOptions, 'features'> {
  readonly capacity: number;
  readonly kType?: KvType;
}

function context(
  given: Given,
  facts: DeviceFacts,
  options: Parameters<typeof planContext>[3] = {},
): PlanContext {
  const layout = cacheLayout(pickKnown<CacheOptions>(given, CACHE_OPTIONS));
  return planContext(shapeOf(given), layout, facts, { fixedSplits: true, ...options });
}

/** A plan as reviewers read it. */
function planText({
  kernel,
  kvLens,
  numSplits,
  splitLen,
  items,
  smScale,
  grid,
  dispatches,
  bytes,
}: DecodePlan): string {
  return [
    `${kernel} over ${kvLens.join(', ')}: ${numSplits} x ${splitLen} keys, ${items} items, scale ${smScale}`,
    `${dispatches.join(' + ')}, grid ${grid.join(' x ')}`,
    `bytes kv ${bytes.kv}, q ${bytes.q}, out ${bytes.out}, partial ${bytes.partial}`,
  ].join('\n');
}

/** So many slots that nothing but memory limits the splits. */
const MANY_SLOTS = {
  variant: { template: 'tiles', wgSize: 64, tile: 32, rowBlock: 64, mixWords: 1 },
  slots: 1e6,
} as const;

const small = { numQHeads: 8, numKvHeads: 2, headDim: 64, capacity: 1000 };
const long = { ...small, capacity: 2000 };
const llama = { numQHeads: 32, numKvHeads: 8, headDim: 128, kType: 'f16' } as const;

describe('plans', () => {
  test('software adapter, 2,000 keys', () => {
    // 4 slots, 2 workgroups to an item: 2 splits of 1,000 keys at least, in whole grains of 32: 1,024.
    // K and V: 2,000 * 2 * 64 * (4 + 4). Partial: written and read, 8 rows * 2 splits * (64 * 4 + 8).
    const plan = planDecode(context(long, SOFTWARE_FACTS), [2000]);
    expect(planText(plan)).toBe(
      `registers over 2000: 2 x 1024 keys, 2 items, scale 0.125
decode_registers + decode_merge, grid 1 x 2 x 2
bytes kv 2048000, q 2048, out 2080, partial 8704`,
    );
  });

  test('short sequences are not split', () => {
    const plan = planDecode(context({ ...small, batch: 2 }, SOFTWARE_FACTS), [128, 0]);
    expect(planText(plan)).toBe(
      `registers over 128, 0: 1 x 1024 keys, 2 items, scale 0.125
decode_registers, grid 1 x 2 x 2
bytes kv 131072, q 4096, out 4160, partial 0`,
    );
  });

  test('GPU, a Llama-3-8B layer of 4,096 tokens in f16', () => {
    // 512 slots, 8 workgroups to an item: 64 splits of 64 keys.
    // K and V: 4,096 * 8 * 128 * (2 + 2) = 16 MiB. Partial: 2 * 32 rows * 64 splits * 528.
    const plan = planDecode(context({ ...llama, capacity: 4096 }, GPU_FACTS), [4096]);
    expect(planText(plan)).toBe(
      `registers over 4096: 64 x 64 keys, 64 items, scale ${1 / Math.sqrt(128)}
decode_registers + decode_merge, grid 1 x 8 x 64
bytes kv 16777216, q 16384, out 16512, partial 2162688`,
    );
  });

  test('sequences of a batch that need no split get no partial state', () => {
    // 5 * 2 workgroups at 512 keys: 1,000 keys are two items, the others one each. Partial: 2 * 8 rows * 2 splits * 272.
    const given = { ...small, batch: 3 };
    const plan = planDecode(context(given, SOFTWARE_FACTS), [1000, 500, 0], { numSplits: 2 });
    expect(planText(plan)).toBe(
      `registers over 1000, 500, 0: 2 x 512 keys, 4 items, scale 0.125
decode_registers + decode_merge, grid 1 x 2 x 4
bytes kv 1536000, q 6144, out 6240, partial 8704`,
    );
    expect(plan.merges).toBe(true);
  });

  test('tiles where there are no subgroups, or where they are asked for', () => {
    for (const [facts, options] of [
      [{ ...SOFTWARE_FACTS, subgroups: false }, {}],
      [SOFTWARE_FACTS, { kernel: 'tiles' }],
    ] as const) {
      const plan = planDecode(context(long, facts, options), [2000]);
      expect(planText(plan).split('\n').slice(0, 2)).toEqual([
        'tiles over 2000: 2 x 1024 keys, 2 items, scale 0.125',
        'decode_tiles + decode_merge, grid 1 x 2 x 2',
      ]);
    }
  });

  test('row blocks of a KV head are workgroups too', () => {
    // 20 rows in blocks of 7: 3 * 2 workgroups to an item, 16 slots: 2 items, of 1,000 keys, so 1,024.
    const variant = { template: 'tiles', wgSize: 64, tile: 32, rowBlock: 7, mixWords: 1 } as const;
    const given = context({ ...long, numQHeads: 40 }, SOFTWARE_FACTS, { tuned: { variant, slots: 16 } });
    const plan = planDecode(given, [2000]);
    expect([plan.splitLen, plan.grid]).toEqual([1024, [3, 2, 2]]);
  });

  // Merging costs what the parts would save.
  test.each([
    ['GPU', GPU_FACTS, 256],
    ['CPU', SOFTWARE_FACTS, 1024],
    ['slow CPU', { ...SOFTWARE_FACTS, vendor: 'google' }, 128],
  ])('on a %s a batch is whole as long as its longest sequence is short: %i keys', (_, facts, wholeLen) => {
    const given = { numQHeads: 1, numKvHeads: 1, headDim: 64, batch: 2, capacity: 2000 };
    const plan = (...kvLens: number[]) => planDecode(context(given, facts), kvLens);
    expect(plan(wholeLen, 0)).toMatchObject({ splitLen: wholeLen, numSplits: 1, merges: false });
    expect(plan(1, wholeLen + 1).merges).toBe(true);
  });

  test('GPU, 131,072 tokens: 64 splits and no more', () => {
    const plan = planDecode(context({ ...llama, capacity: 131072 }, GPU_FACTS), [131072]);
    expect([plan.numSplits, plan.splitLen, plan.grid]).toEqual([64, 2048, [1, 8, 64]]);
  });

  // Splits of 32 keys at least; a single KV head's rows are spread over two workgroups.
  test.each([
    [1, 1024, 64],
    [1, 4096, 256],
    [1, 131072, 512],
    [2, 4096, 256],
    [4, 4096, 512],
    [8, 257, 72],
    [8, 1024, 256],
    [8, 131072, 512],
    [32, 1024, 512],
  ])('GPU, %i KV heads of 32, %i tokens: %i workgroups', (numKvHeads, kvLen, workgroups) => {
    for (const vendor of ['nvidia', 'amd']) {
      for (const kType of KV_TYPES) {
        const given = { ...llama, numKvHeads, kType, capacity: 131072 };
        // Smaller workgroups are more of them.
        const { grid } = planDecode(context(given, { ...GPU_FACTS, vendor }), [kvLen]);
        if (kType === 'f16') expect(grid[0] * grid[1] * grid[2]).toBe(workgroups);
        expect(grid[0] * grid[1] * grid[2]).toBeGreaterThanOrEqual(workgroups);
      }
    }
  });

  test.each([
    [1024, 1],
    [1025, 4],
    [131072, 4],
  ])(
    'a CPU gets a workgroup to a core, whatever the shape: one KV head, %i tokens: %i',
    (kvLen, workgroups) => {
      const given = { ...llama, numQHeads: 8, numKvHeads: 1, capacity: 131072 };
      const { grid } = planDecode(context(given, SOFTWARE_FACTS), [kvLen]);
      expect(grid[0] * grid[1] * grid[2]).toBe(workgroups);
    },
  );

  test('GPU, a batch of 16: fewer splits of each', () => {
    // 16 * 8 workgroups to a split and 512 slots: 4 splits of 1,024.
    const lens = Array.from({ length: 16 }, () => 4096);
    const plan = planDecode(context({ ...llama, batch: 16, capacity: 4096 }, GPU_FACTS), lens);
    expect([plan.numSplits, plan.splitLen, plan.grid]).toEqual([4, 1024, [1, 8, 64]]);
  });

  test.each([
    ['nvidia', 512],
    ['amd', 512],
    ['apple', 256],
    ['intel', 128],
    ['qualcomm', 64],
    ['arm', 64],
    ['', 256],
    ['unheard-of', 256],
  ])('slots of a GPU by "%s": %i', (vendor, slots) => {
    expect(context({ ...llama, capacity: 64 }, { ...GPU_FACTS, vendor }).slots).toBe(slots);
  });

  test('several query positions and an element type', () => {
    // 3 positions: q 2 * 8 * 3 * 64 * 4; out as much and 48 sums. K and V: 30 tokens * 2 * 64 * (2 + 2).
    const given = { ...small, batch: 2, qLen: 3, kType: 'f16' } as const;
    const { bytes } = planDecode(context(given, SOFTWARE_FACTS), [10, 20]);
    expect(bytes).toEqual({ kv: 15360, q: 12288, out: 12480, partial: 0 });
  });

  test.each([
    ['bf16', 256],
    ['int8', 132], // 64 bytes and a scale of 2, twice
    ['int4', 72], // 32 bytes and two scales, twice
  ] as const)('K and V of %s: %i bytes a token and head', (kType, bytesPerRow) => {
    const { bytes } = planDecode(context({ ...small, batch: 2, kType }, SOFTWARE_FACTS), [10, 20]);
    expect(bytes.kv).toBe(30 * 2 * bytesPerRow);
  });

  test('the plain kernel: three steps, nothing split', () => {
    const plan = planDecode(context(small, SOFTWARE_FACTS, { kernel: 'plain' }), [700]);
    expect(plan).toMatchObject({
      kernel: 'plain',
      numSplits: 1,
      splitLen: 700,
      items: 1,
      merges: false,
      bytes: { kv: 716800, partial: 0 },
    });
    expect(plan.dispatches).toEqual(['plain_scores', 'plain_softmax', 'plain_av']);
  });

  test('the numbers that the shaders read', () => {
    const plan = planDecode(context({ ...small, batch: 2 }, SOFTWARE_FACTS), [1000, 7], {
      smScale: 0.1,
      numSplits: 7,
    });
    const { stepWords } = plan.parts[0]!;
    // Splits of 143 keys, in whole grains of 32: 160. No scales: they would begin at word 2 * 2 * 1,000 * 16.
    const splits = [0, 160, 320, 480, 640, 800, 960].flatMap((begin, s) => [
      [0, begin, Math.min(begin + 160, 1000), s + 1],
    ]);
    expect(Array.from(stepWords)).toEqual(
      [
        // 8 query heads, 4 rows; rows of q and o are 16 vec4s apart.
        [1000, 2, 64000, 64000, 0x3dcccccd, 8, 4, 16, 16, 16, 16, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        [1000, 0, 7, 1, 0, 0, 0, 0],
        [7, 7, 1, 1, 128, 128, 8, 0],
        ...splits,
        [1, 0, 7, 0],
      ].flat(),
    );
  });

  test('a sequence finds its partial states behind those of the ones before it', () => {
    const given = { ...small, batch: 4, kType: 'int8', capacity: 301 } as const;
    const plan = planDecode(context(given, SOFTWARE_FACTS), [300, 0, 40, 290], { numSplits: 2 });
    const { stepWords } = plan.parts[0]!;
    // Splits of 160. Scales of int8 behind 8 heads * 301 rows of four words.
    const scales = 8 * 301 * 4;
    expect(Array.from(stepWords.subarray(0, 4))).toEqual([301, 4, scales, scales]);
    expect(Array.from(stepWords.subarray(20))).toEqual(
      [
        [300, 0, 2, 1, 0, 0, 0, 0],
        [0, 2, 1, 1, 128, 128, 8, 0],
        [40, 2, 1, 1, 256, 256, 16, 0],
        [290, 2, 2, 1, 384, 384, 24, 0],
        [0, 0, 160, 1],
        [0, 160, 300, 2],
        [1, 0, 0, 0],
        [2, 0, 40, 0],
        [3, 0, 160, 3],
        [3, 160, 290, 4],
      ].flat(),
    );
  });

  test('a plan keeps its lengths when the caller changes theirs', () => {
    const lens = [5];
    const plan = planDecode(context(small, SOFTWARE_FACTS), lens);
    lens[0] = 6;
    expect(plan.kvLens).toEqual([5]);
  });
});

describe('numSplits', () => {
  // 1,000 keys in grains of 32: 500 -> 512, 334 -> 352, 200 -> 224 (5 of them hold 1,120), 32 splits of 32.
  test.each([
    [1, 1, 1024],
    [2, 2, 512],
    [3, 3, 352],
    [5, 5, 224],
    [32, 32, 32],
  ])('%d', (asked, numSplits, splitLen) => {
    const plan = planDecode(context(small, SOFTWARE_FACTS), [1000], { numSplits: asked });
    expect([plan.numSplits, plan.splitLen, plan.grid[2]]).toEqual([numSplits, splitLen, numSplits]);
  });

  test.each([
    [0, 'plan: numSplits: expected a whole number from 1 to 32, got 0'],
    [33, 'plan: numSplits: expected a whole number from 1 to 32, got 33'],
    [1.5, 'plan: numSplits: expected a whole number from 1 to 32, got 1.5'],
    [-1, 'plan: numSplits: expected a whole number from 1 to 32, got -1'],
  ])('refuses %d', async (numSplits, expected) => {
    const plan = () => planDecode(context(small, SOFTWARE_FACTS), [1000], { numSplits });
    expect(await message(ShapeError, plan)).toBe(expected);
  });
});

describe('scratch memory', () => {
  const large = {
    numQHeads: 32,
    numKvHeads: 8,
    headDim: 128,
    batch: 64,
    capacity: 32768,
    kType: 'f16',
  } as const;
  const bytes = ({ shape, maxPartials }: PlanContext) => partialBytes(shape, maxPartials);

  test('of 64 sequences: 1 MiB for plans that fill the device, 128 MiB for those that fix their splits', () => {
    const states = 64;
    expect(bytes(context(large, GPU_FACTS, { fixedSplits: false }))).toBe(states * 32 * 132 * 4);
    expect(bytes(context(large, GPU_FACTS))).toBeGreaterThan(127 * 2 ** 20);
  });

  test.each(['numSplits', 'deterministic'])('%s wants a decoder with room for it', async (name) => {
    const own = context(large, GPU_FACTS, { fixedSplits: false });
    const lens = Array.from({ length: 64 }, () => 1000);
    const plan = () =>
      planDecode(own, lens, name === 'numSplits' ? { numSplits: 2 } : { deterministic: true });
    expect(await message(ShapeError, plan)).toBe(
      `plan: ${name}: expected a decoder that was created with fixedSplits: true`,
    );
  });
});

describe('deterministic', () => {
  const splitLen = (given: Given, kvLens: readonly number[], facts = GPU_FACTS) =>
    planDecode(context(given, facts), kvLens, { deterministic: true }).splitLen;

  test('256 keys, or as many as the most splits need for the capacity', () => {
    expect(splitLen({ ...llama, capacity: 4096 }, [4096])).toBe(256);
    expect(splitLen({ ...llama, capacity: 131072 }, [131072])).toBe(2048);
    // 100,000 / 64 = 1,562.5, up to a multiple of 32
    expect(splitLen({ ...llama, capacity: 100_000 }, [1])).toBe(1568);
  });

  test('whatever the lengths', () => {
    for (const lens of [[1], [100], [256], [257], [9999], [100_000], [0]]) {
      expect(splitLen({ ...llama, capacity: 100_000 }, lens)).toBe(1568);
    }
  });

  const mqa = {
    numQHeads: 32,
    numKvHeads: 1,
    headDim: 128,
    qLen: 8,
    kType: 'f16',
    capacity: 4096,
  } as const;
  const full = (batch: number) => Array.from({ length: batch }, () => 4096);

  test.each([1, 2, 32])('whatever the batch: %d', (batch) => {
    expect(splitLen({ ...mqa, batch }, full(batch))).toBe(256);
  });

  // A partial state takes 32 * 8 rows * 528 bytes; 992 of them fit in 128 MiB, however large a binding may be, 7 a binding of 1 MiB.
  test.each([2 ** 27, 2 ** 31])(
    'refused, not changed, where a batch leaves no room for its partial states: bindings of %d',
    async (maxBindingBytes) => {
      const facts = { ...GPU_FACTS, maxBindingBytes };
      const plan = () => splitLen({ ...mqa, batch: 64 }, full(64), facts);
      expect(await message(ShapeError, plan)).toBe(
        'plan: partial states of splits of 256 keys: expected a whole number from 0 to 992, got 1024',
      );
      expect(splitLen({ ...mqa, batch: 64 }, [...full(62), 1, 1], facts)).toBe(256);
    },
  );

  test('refused where not even one sequence has room for its splits', async () => {
    const plan = () => splitLen({ ...mqa, batch: 1 }, full(1), { ...GPU_FACTS, maxBindingBytes: 2 ** 20 });
    expect(await message(ShapeError, plan)).toBe(
      'plan: deterministic splits of 256 keys: expected a whole number from 1 to 7, got 16',
    );
  });

  test('refused where a dispatch has no room for so many items', async () => {
    const given = { numQHeads: 1, numKvHeads: 1, headDim: 64, batch: 4096, capacity: 4096 };
    const plan = () => splitLen(given, full(4096));
    expect(await message(ShapeError, plan)).toBe(
      'plan: partial states of splits of 256 keys: expected a whole number from 0 to 61439, got 65536',
    );
  });

  test('the same for a number of splits', async () => {
    const plan = () => planDecode(context({ ...mqa, batch: 64 }, GPU_FACTS), full(64), { numSplits: 16 });
    expect(await message(ShapeError, plan)).toBe(
      'plan: partial states of splits of 256 keys: expected a whole number from 0 to 992, got 1024',
    );
  });

  test('splits are longer, not refused, where nothing is asked for', () => {
    const plan = planDecode(
      context({ ...mqa, batch: 64, capacity: 65536 }, GPU_FACTS, { tuned: MANY_SLOTS }),
      Array.from({ length: 64 }, () => 65536),
    );
    // 64 sequences, 15 states each at most: 65,536 / 15 is 4,369.1, in grains 4,384.
    expect([plan.splitLen, plan.numSplits]).toEqual([4384, 15]);
  });

  test('not together with a number of splits', async () => {
    const plan = () =>
      planDecode(context({ ...llama, capacity: 64 }, GPU_FACTS), [1], { deterministic: true, numSplits: 2 });
    expect(await message(ShapeError, plan)).toBe('plan: expected numSplits or deterministic, got both');
  });
});

describe('refuses', () => {
  test.each([
    ['too few lengths', [1], 'plan: expected 2 lengths, one per sequence, got 1'],
    ['too many lengths', [1, 2, 3], 'plan: expected 2 lengths, one per sequence, got 3'],
    [
      'over capacity',
      [1, 1001],
      'plan: length of sequence 1: expected a whole number from 0 to 1000, got 1001',
    ],
    ['negative', [-1, 1], 'plan: length of sequence 0: expected a whole number from 0 to 1000, got -1'],
    ['fractional', [1, 2.5], 'plan: length of sequence 1: expected a whole number from 0 to 1000, got 2.5'],
    ['NaN', [NaN, 1], 'plan: length of sequence 0: expected a whole number from 0 to 1000, got NaN'],
  ])('%s', async (_name, kvLens, expected) => {
    const plan = () => planDecode(context({ ...small, batch: 2 }, SOFTWARE_FACTS), kvLens);
    expect(await message(ShapeError, plan)).toBe(expected);
  });

  // The last two are numbers, but not in the shader's f32.
  test.each([NaN, Infinity, -Infinity, 1e39, -1e300])('smScale %d', async (smScale) => {
    const plan = () => planDecode(context(small, SOFTWARE_FACTS), [1], { smScale });
    expect(await message(ShapeError, plan)).toBe(`plan: smScale: expected a finite number, got ${smScale}`);
  });
});
