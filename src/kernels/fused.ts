// fused.ts: the fused kernel in its templates: which one suits a device and shape, whether it can run there, its text.
import { GqaError, LimitExceededError, ShapeError } from '../device/errors.ts';
import type { DeviceFacts } from '../device/deviceFacts.ts';
import { checkOneOf, checkOptions, checkWhole, describe, isObject, type Known } from '../device/options.ts';
import {
  checkPrefill,
  choosePrefill,
  prefillKernel,
  prefillWorkgroupBytes,
  type PrefillVariant,
} from './prefill.ts';
import { decodeRegisters, registersWorkgroupBytes, type RegistersVariant } from './decodeRegisters.ts';
import {
  checkTiles,
  chooseTiles,
  decodeTiles,
  tilesWorkgroupBytes,
  type TilesVariant,
} from './decodeTiles.ts';
import type { Grid, Kernel } from './kernel.ts';
import type { CacheFormat } from './lib.ts';
import { checkRegisters, chooseRegisters, hasRegisters, suitsRegisters } from './registersSizes.ts';
import { rowBlocksOf } from './residency.ts';
import type { RowFormats } from './rowFormats.ts';
import type { GqaShape } from './shape.ts';

/** One variant of the fused kernel: a template and its sizes. */
export type FusedVariant = RegistersVariant | TilesVariant | PrefillVariant;

/** Templates of the fused kernel. */
export type FusedTemplate = FusedVariant['template'];

export const FUSED_TEMPLATES: readonly FusedTemplate[] = ['registers', 'tiles', 'prefill'];

/** The template that suits a device and shape, as long as nothing was measured, with its sizes. */
export function chooseFused(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): FusedVariant {
  return chooseIn(chooseTemplate(shape, facts), shape, cache, facts);
}

/** Query positions of a step from which on it is a chunk of a prompt. */
const CHUNK_POSITIONS = 9;

/** Chunks have a template of their own; steps take registers wherever there are subgroups, but for rows too long for theirs. */
function chooseTemplate(shape: GqaShape, facts: DeviceFacts): FusedTemplate {
  if (shape.qLen >= CHUNK_POSITIONS) return 'prefill';
  return hasRegisters(facts) && suitsRegisters(shape, facts) ? 'registers' : 'tiles';
}

/** The sizes of a template that suit a device and shape. Throws FeatureMissingError when the device cannot run it. */
export function chooseIn(
  template: FusedTemplate,
  shape: GqaShape,
  cache: CacheFormat,
  facts: DeviceFacts,
): FusedVariant {
  if (template === 'prefill') return choosePrefill(shape, cache, facts);
  // The sizes that suit a workgroup's share of the rows.
  const share = { ...shape, rowsPerKvHead: Math.ceil(shape.rowsPerKvHead / rowBlocksOf(shape, facts)) };
  if (template === 'tiles') return chooseTiles(share, cache, facts);
  const variant = chooseRegisters(share, cache, facts);
  checkRegisters(variant, facts);
  return variant;
}

/** The linked kernel of a variant; `subgroupSize`: what its subgroups are asked to be. */
export function fusedKernel(
  shape: GqaShape,
  cache: CacheFormat,
  variant: FusedVariant,
  rows: RowFormats,
  subgroupSize?: number,
): Kernel {
  if (variant.template === 'tiles') return decodeTiles(shape, cache, variant, rows);
  if (variant.template === 'prefill') return prefillKernel(shape, cache, variant, rows);
  return decodeRegisters(shape, cache, variant, rows, subgroupSize);
}

/** Query rows of a KV head that one workgroup serves. */
export function rowsPerWorkgroup(variant: FusedVariant): number {
  return variant.template === 'registers' ? variant.teamRows * variant.blocks : variant.rowBlock;
}

/** Blocks of a KV head's rows, each for a workgroup, of a sequence of `qLen` query positions. */
export function rowBlocks({ groupSize }: GqaShape, variant: FusedVariant, qLen: number): number {
  return Math.ceil((groupSize * qLen) / rowsPerWorkgroup(variant));
}

/** Workgroups of one item of a plan: row blocks of all KV heads, or of so many. */
export function workgroupsPerItem(
  shape: GqaShape,
  variant: FusedVariant,
  qLen = shape.qLen,
  heads = shape.numKvHeads,
): number {
  return heads * rowBlocks(shape, variant, qLen);
}

/** Workgroups of the fused kernel over `items` items, whose sequences have at most `qLen` query positions: of all KV heads, or of so many. */
export function fusedGrid(
  shape: GqaShape,
  variant: FusedVariant,
  items: number,
  qLen: number,
  heads = shape.numKvHeads,
): Grid {
  return [rowBlocks(shape, variant, qLen), heads, items];
}

/** The name of a template's shader. */
export function kernelName(template: FusedTemplate): string {
  return template === 'prefill' ? template : `decode_${template}`;
}

/** A variant in a few words, for tables: `registers wg128 lanes16 tokens2 rows2x2 shared-q gpu`, `tiles wg64 tile64 rows8 words1`. */
export function variantName(variant: FusedVariant): string {
  checkVariantForm('variantName', variant);
  if (variant.template === 'tiles') {
    const { wgSize, tile, rowBlock, mixWords } = variant;
    return `tiles wg${wgSize} tile${tile} rows${rowBlock} words${mixWords}`;
  }
  if (variant.template === 'prefill') {
    const { wgSize, tile, rowBlock, rows, keys } = variant;
    return `prefill wg${wgSize} tile${tile} block${rowBlock} rows${rows} keys${keys}`;
  }
  const { wgSize, lanes, tokens, teamRows, blocks, q, code } = variant;
  const shared = q === 'workgroup' ? ' shared-q' : '';
  return `registers wg${wgSize} lanes${lanes} tokens${tokens} rows${teamRows}x${blocks}${shared} ${code}`;
}

/** Fields of a variant that are no numbers. */
const WORDS: ReadonlySet<string> = new Set(['template', 'q', 'code']);

const SIZES = {
  registers: {
    template: true,
    wgSize: true,
    lanes: true,
    tokens: true,
    teamRows: true,
    blocks: true,
    q: true,
    code: true,
  },
  tiles: { template: true, wgSize: true, tile: true, rowBlock: true, mixWords: true },
  prefill: { template: true, wgSize: true, tile: true, rowBlock: true, rows: true, keys: true },
} satisfies { readonly [T in FusedTemplate]: Known<Extract<FusedVariant, { readonly template: T }>> };

/** Throws ShapeError for what is no variant: another template, sizes that are missing or no positive whole numbers. */
export function checkVariantForm(where: string, variant: unknown): asserts variant is FusedVariant {
  if (!isObject(variant)) throw new ShapeError(`${where}: expected a variant, got ${describe(variant)}`);
  const { template, ...sizes } = variant as Readonly<Record<string, unknown>>;
  checkOneOf(`${where}: template`, template as FusedTemplate, FUSED_TEMPLATES);
  const known = SIZES[template as FusedTemplate];
  checkOptions(where, variant, known);
  for (const name of Object.keys(known)) {
    if (!WORDS.has(name)) checkWhole(`${where}: ${name}`, sizes[name] as number, 1, 2 ** 16);
  }
}

/**
 * Throws ShapeError for sizes a kernel is not made for, FeatureMissingError and LimitExceededError when the device
 * cannot run the variant.
 */
export function checkVariant(
  shape: GqaShape,
  cache: CacheFormat,
  variant: FusedVariant,
  facts: DeviceFacts,
): void {
  checkVariantForm('variant', variant);
  checkSizes(shape, cache, variant, facts);
  const { wgSize, template } = variant;
  const where = kernelName(template);
  if (wgSize > facts.maxInvocations) {
    throw new LimitExceededError(where, 'maxComputeInvocationsPerWorkgroup', wgSize, facts.maxInvocations);
  }
  const bytes = workgroupBytes(shape, cache, variant);
  if (bytes > facts.maxWorkgroupStorage) {
    throw new LimitExceededError(where, 'maxComputeWorkgroupStorageSize', bytes, facts.maxWorkgroupStorage);
  }
}

/** Whether `checkVariant` lets it pass. */
export function canRun(
  shape: GqaShape,
  cache: CacheFormat,
  variant: FusedVariant,
  facts: DeviceFacts,
): boolean {
  try {
    checkVariant(shape, cache, variant, facts);
    return true;
  } catch (error) {
    if (error instanceof GqaError) return false;
    throw error;
  }
}

function checkSizes(shape: GqaShape, cache: CacheFormat, variant: FusedVariant, facts: DeviceFacts): void {
  switch (variant.template) {
    case 'registers':
      return checkRegisters(variant, facts);
    case 'tiles':
      return checkTiles(shape, cache, variant);
    case 'prefill':
      return checkPrefill(variant);
  }
}

/** Workgroup memory of a variant in bytes. */
function workgroupBytes(shape: GqaShape, cache: CacheFormat, variant: FusedVariant): number {
  if (variant.template === 'tiles') return tilesWorkgroupBytes(shape, cache, variant);
  if (variant.template === 'prefill') return prefillWorkgroupBytes(shape, variant);
  return registersWorkgroupBytes(shape, cache, variant);
}
