// registersSizes.ts: the sizes of decode_registers: those that fit a device's registers, and the cheapest of them.
import { FeatureMissingError, ShapeError } from '../device/errors.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { checkOneOf } from '../device/options.ts';
import { ELEMENT_FORMATS, type KvType } from '../numbers/elements.ts';
import { registersWorkgroupBytes, type RegistersVariant } from './decodeRegisters.ts';
import { laneWords } from './laneWords.ts';
import type { CacheFormat } from './lib.ts';
import { liveNumbers, partsOf, widthOf, type RegisterSizes } from './liveNumbers.ts';
import { profileOf } from './profile.ts';
import { checkWhole, type GqaShape } from './shape.ts';
import { evenBlocks, isPowerOfTwo, powerOfTwoFrom, powerOfTwoUpTo } from './sizes.ts';

/** Lanes of a team at least: a quad. */
const LEAST_LANES = 4;

/** Whether a device can run the kernel at all: it has subgroups, of at least a quad. */
export function hasRegisters({ subgroups, subgroupMinSize }: DeviceFacts): boolean {
  return subgroups && subgroupMinSize >= LEAST_LANES;
}

/** Lanes that are asked for, or hoped for, where the smallest subgroups are smaller. */
const ASKED_LANES = 16;

/** Lanes of a team on a GPU: 32 for wide heads. */
const GPU_LANES = [32, 16, 8, LEAST_LANES];

/** Elements of a row that a lane of a GPU takes: more are more registers than the estimate below says. */
const MOST_ELEMENTS = 16;

/**
 * Lanes that a team may have: those of the smallest subgroup, and up to 16 of a larger one that can be asked for, or that the
 * device's compilers are known to take. A probe has the last word.
 */
export function mostLanes(facts: DeviceFacts): number {
  const { subgroupMinSize, subgroupMaxSize, subgroupSizeControl } = facts;
  if (!subgroupSizeControl && !profileOf(facts).largerSubgroups) return subgroupMinSize;
  return Math.max(subgroupMinSize, powerOfTwoUpTo(Math.min(ASKED_LANES, subgroupMaxSize)));
}

/** What the subgroups of a variant's kernel have to be asked to be; undefined where it takes what comes. */
export function askedSubgroupSize(lanes: number, facts: DeviceFacts): number | undefined {
  return facts.subgroupSizeControl && lanes > facts.subgroupMinSize ? lanes : undefined;
}

// Instructions, counted from what compilers made of the kernel for AMD and Intel, to compare variants by; none is exact.
const PER_ROUND = 40;
const PER_HELD_SCORE = 14; // its maximum, exponential and sum
const PER_SCALE = 6;
const UNPACKING: Readonly<Record<KvType, number>> = { f32: 0, f16: 1, bf16: 1, int8: 1, int4: 1.5 }; // per element

/** About how many instructions an invocation executes for an element of a key and a row. */
function instructionsPerElement(shape: GqaShape, cache: CacheFormat, sizes: RegisterSizes): number {
  const { lanes, tokens, teamRows, q } = sizes;
  const { k, v } = partsOf(shape, cache, lanes);
  const scores = teamRows * tokens;
  const held = Math.max(1, scores / 4); // of each invocation of a quad
  const perKey = [
    [k, cache.kType],
    [v, cache.vType],
  ] as const;
  const keys = perKey.map(([part, type]) => {
    const scales = { none: 0, row: held, block: tokens * part.words }[ELEMENT_FORMATS[type].scale];
    return tokens * 4 * part.vec4s * UNPACKING[type] + scales * PER_SCALE;
  });
  const summed = Math.log2(lanes / Math.min(4, scores));
  const fromWorkgroup = q === 'workgroup' ? 2 * teamRows * k.vec4s : 0;
  const rescaled = teamRows * 4 * v.vec4s;
  const products = scores * 4 * (k.vec4s + v.vec4s);
  const weighed = held * (PER_HELD_SCORE + 2 * summed) + 4 * scores;
  const round = PER_ROUND + products + weighed + rescaled + fromWorkgroup + keys[0]! + keys[1]!;
  return round / products;
}

/** The sizes that suit a device and shape, as long as nothing was measured. */
export function chooseRegisters(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): RegistersVariant {
  const sizesOf = facts.software ? softwareSizes : gpuSizes;
  return fitting(shape, cache, facts, sizesOf(shape, cache, facts));
}

/** A CPU runs subgroups one after the other: one to a workgroup, so that none waits for another. */
function softwareSizes(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): RegistersVariant {
  const words = (type: KvType) => laneWords(type, shape.headDim, 1).words;
  const most = Math.min(facts.subgroupMinSize, words(cache.kType), words(cache.vType));
  const lanes = Math.max(LEAST_LANES, powerOfTwoUpTo(most));
  const { k, v } = partsOf(shape, cache, lanes);
  const { liveNumbers: budget, code } = profileOf(facts).registers;
  const mostRows = Math.max(1, Math.min(8, Math.floor(budget / (4 * (k.vec4s + v.vec4s)))));
  return {
    template: 'registers',
    wgSize: powerOfTwoUpTo(facts.subgroupMinSize),
    lanes,
    tokens: 1,
    teamRows: evenBlocks(shape.rowsPerKvHead, mostRows),
    blocks: 1,
    q: 'registers',
    code,
  };
}

const GPU_WG_SIZE = 128;

/** A GPU: all rows of a KV head in one workgroup, as far as its teams reach, so that K and V come from memory once. */
function gpuSizes(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): RegistersVariant {
  const { lanes, tokens, teamRows: mostRows, q } = cheapest(shape, cache, facts);
  const rows = shape.rowsPerKvHead;
  const wanted = powerOfTwoFrom(Math.ceil(rows / mostRows));
  const { mostInvocations, code } = profileOf(facts).registers;
  const limit = powerOfTwoUpTo(Math.min(mostInvocations, facts.maxInvocations));
  const wgSize = Math.min(limit, Math.max(GPU_WG_SIZE, wanted * lanes));
  const blocks = Math.min(wanted, wgSize / lanes);
  const teamRows = Math.ceil(rows / (blocks * Math.ceil(wanted / blocks)));
  return { template: 'registers', wgSize, lanes, tokens, teamRows, blocks, q, code };
}

/** Of the sizes that fit the device's registers those with the fewest instructions; the smallest where none fits. */
function cheapest(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): RegisterSizes {
  const { liveNumbers: budget, loadsVWithK } = profileOf(facts).registers;
  const sizes = candidates(shape, facts);
  const live = (each: RegisterSizes) => liveNumbers(shape, cache, each, loadsVWithK);
  const fit = sizes.filter((each) => live(each) <= budget);
  const cost = (each: RegisterSizes) => instructionsPerElement(shape, cache, each);
  return fit.length > 0 ? leastOf(fit, cost) : leastOf(sizes, live);
}

/** Lanes of a team at most for rows of a shape: four elements to a lane, and a quad at least. */
export function mostLanesOf(shape: GqaShape, facts: DeviceFacts): number {
  return Math.max(LEAST_LANES, Math.min(mostLanes(facts), widthOf(shape) / 4));
}

/** Longest rows that are kept in registers whatever a lane gets of them. */
const LONG_ROW = 256;

/** Whether the registers of a device are enough for rows of a shape: those past 256 elements spill on Intel, where teams have 16 lanes. */
export function suitsRegisters(shape: GqaShape, facts: DeviceFacts): boolean {
  const width = widthOf(shape);
  return facts.software || width <= LONG_ROW || width <= MOST_ELEMENTS * mostLanesOf(shape, facts);
}

function candidates(shape: GqaShape, facts: DeviceFacts): RegisterSizes[] {
  const { rowsPerKvHead } = shape;
  const most = mostLanesOf(shape, facts);
  return GPU_LANES.filter(
    (lanes) => lanes <= most && (lanes >= widthOf(shape) / MOST_ELEMENTS || lanes === powerOfTwoUpTo(most)),
  ).flatMap((lanes) =>
    [4, 2, 1]
      .filter((rows) => rows < 2 * rowsPerKvHead)
      .flatMap((teamRows) =>
        [4, 2, 1].flatMap((tokens) =>
          (['registers', 'workgroup'] as const).map((q) => ({ lanes, tokens, teamRows, q })),
        ),
      ),
  );
}

function leastOf<T>(items: readonly T[], costOf: (item: T) => number): T {
  const costs = items.map(costOf);
  return items[costs.indexOf(Math.min(...costs))]!;
}

/** The same with fewer invocations where the device has too little workgroup memory. */
function fitting(
  shape: GqaShape,
  cache: CacheFormat,
  facts: DeviceFacts,
  sizes: RegistersVariant,
): RegistersVariant {
  if (registersWorkgroupBytes(shape, cache, sizes) <= facts.maxWorkgroupStorage) return sizes;
  const wgSize = sizes.wgSize / 2;
  const blocks = Math.min(sizes.blocks, wgSize / sizes.lanes);
  return fitting(shape, cache, facts, { ...sizes, wgSize, blocks });
}

/** Throws ShapeError for sizes that the shader is not made for, FeatureMissingError on a device without subgroups. */
export function checkRegisters(variant: RegistersVariant, facts: DeviceFacts): void {
  const { wgSize, lanes, tokens, teamRows, blocks, q, code } = variant;
  if (!hasRegisters(facts)) {
    throw new FeatureMissingError('subgroups', 'registers: the kernel needs subgroups, the device has none');
  }
  for (const [name, value] of Object.entries({ wgSize, lanes, tokens, blocks })) {
    if (!isPowerOfTwo(value))
      throw new ShapeError(`registers: ${name}: expected a power of two, got ${value}`);
  }
  checkWhole('registers: lanes', lanes, LEAST_LANES, mostLanes(facts));
  checkWhole('registers: teamRows', teamRows, 1, 64);
  checkWhole('registers: tokens', tokens, 1, 16);
  checkWhole('registers: wgSize', wgSize, lanes * blocks, 65536);
  checkOneOf('registers: q', q, Q_PLACES);
  checkOneOf('registers: code', code, CODES);
}

const Q_PLACES: readonly RegistersVariant['q'][] = ['registers', 'workgroup'];
const CODES: readonly RegistersVariant['code'][] = ['gpu', 'cpu'];
