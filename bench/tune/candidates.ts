// candidates.ts: variants worth timing against each other on a device: a start, and its neighbours in one size each.
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';
import { GqaError } from '../../src/device/errors.ts';
import type { RegistersVariant } from '../../src/kernels/decodeRegisters.ts';
import type { TilesVariant } from '../../src/kernels/decodeTiles.ts';
import { rowWords } from '../../src/numbers/elements.ts';
import {
  canRun,
  chooseFused,
  chooseIn,
  FUSED_TEMPLATES,
  type FusedTemplate,
  type FusedVariant,
} from '../../src/kernels/fused.ts';
import type { CacheFormat } from '../../src/kernels/lib.ts';
import type { GqaShape } from '../../src/kernels/shape.ts';
import { mostLanesOf } from '../../src/kernels/registersSizes.ts';
import { evenBlocks, powerOfTwoFrom } from '../../src/kernels/sizes.ts';

/**
 * Where to start: every template that runs on the device, in the sizes it would take unmeasured; the default first.
 */
export function startVariants(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): FusedVariant[] {
  const first = chooseFused(shape, cache, facts);
  const others = FUSED_TEMPLATES.filter((template) => template !== first.template && template !== 'prefill');
  return [first, ...others.flatMap((template) => chosenOrNone(template, shape, cache, facts))];
}

function chosenOrNone(
  template: FusedTemplate,
  shape: GqaShape,
  cache: CacheFormat,
  facts: DeviceFacts,
): FusedVariant[] {
  try {
    const variant = chooseIn(template, shape, cache, facts);
    return canRun(shape, cache, variant, facts) ? [variant] : [];
  } catch (error) {
    if (error instanceof GqaError) return [];
    throw error;
  }
}

/** Lists of variants that differ from `from` in one size, a list for each size; only those the device can run. */
export function neighbours(
  from: FusedVariant,
  shape: GqaShape,
  cache: CacheFormat,
  facts: DeviceFacts,
): FusedVariant[][] {
  return around(from, shape, cache, facts).map((list) =>
    list.filter(
      (variant) => JSON.stringify(variant) !== JSON.stringify(from) && canRun(shape, cache, variant, facts),
    ),
  );
}

function around(
  from: FusedVariant,
  shape: GqaShape,
  cache: CacheFormat,
  facts: DeviceFacts,
): FusedVariant[][] {
  if (from.template === 'prefill') return [];
  return from.template === 'tiles' ? tilesAround(from, shape, cache) : registersAround(from, shape, facts);
}

const POWERS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

function registersAround(from: RegistersVariant, shape: GqaShape, facts: DeviceFacts): RegistersVariant[][] {
  const most = mostLanesOf(shape, facts);
  const lanes = POWERS.filter((n) => n >= 4 && n <= most);
  const mostInvocations = Math.min(256, facts.maxInvocations);
  const wgSizes = POWERS.filter((n) => n >= from.lanes && n <= mostInvocations);
  const rows = Math.min(shape.rowsPerKvHead, from.teamRows * from.blocks);
  const rowCounts = [rows / 4, rows / 2, rows * 2, rows * 4].map((n) =>
    Math.min(shape.rowsPerKvHead, Math.ceil(n)),
  );
  // More rows are more teams, as long as a workgroup has room for them.
  const wgSizeFor = (n: number) => powerOfTwoFrom(Math.ceil(n / from.teamRows)) * from.lanes;
  const grown = (n: number) => Math.max(from.wgSize, Math.min(mostInvocations, wgSizeFor(n)));
  return [
    lanes.map((n) => fitted({ ...from, lanes: n }, rows)),
    [1, 2, 4, 8].map((tokens) => ({ ...from, tokens })),
    [1, 2, 4, 8].map((teamRows) => fitted({ ...from, teamRows }, rows)),
    wgSizes.map((wgSize) => fitted({ ...from, wgSize }, rows)),
    rowCounts.map((n) => fitted({ ...from, wgSize: grown(n) }, n)),
    [{ ...from, q: from.q === 'registers' ? 'workgroup' : 'registers' }],
    [{ ...from, code: from.code === 'gpu' ? 'cpu' : 'gpu' }],
  ];
}

/** As many blocks as the rows of a workgroup need, as far as its teams reach; rows spread evenly over them. */
function fitted(variant: RegistersVariant, rows: number): RegistersVariant {
  const wgSize = Math.max(variant.wgSize, variant.lanes);
  const wanted = Math.ceil(rows / variant.teamRows);
  const blocks = Math.min(wgSize / variant.lanes, powerOfTwoFrom(wanted));
  const perBlock = evenBlocks(rows, variant.teamRows * blocks) / blocks;
  return { ...variant, wgSize, blocks, teamRows: Math.ceil(perBlock) };
}

function tilesAround(from: TilesVariant, shape: GqaShape, cache: CacheFormat): TilesVariant[][] {
  const words = rowWords(cache.vType, shape.vHeadDim);
  const rows = [4, 8, 16, 32, 80].map((most) => evenBlocks(shape.rowsPerKvHead, most));
  return [
    POWERS.filter((n) => n >= 8).map((wgSize) => ({ ...from, wgSize })),
    [16, 32, 64, 128, 256].map((tile) => ({ ...from, tile })),
    [...new Set(rows)].map((rowBlock) => ({ ...from, rowBlock })),
    [1, 2, 4, 8].filter((n) => n <= words).map((mixWords) => ({ ...from, mixWords })),
  ];
}
