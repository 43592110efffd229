// fused.ts: the fused kernel in its templates: which one suits a device and shape, whether it can run there, its text.
import { LimitExceededError, ShapeError } from '../device/errors.ts';
import type { DeviceFacts } from '../device/gqaDevice.ts';
import {
  checkRegisters,
  chooseRegisters,
  decodeRegisters,
  hasRegisters,
  registersWorkgroupBytes,
  type RegistersVariant,
} from './decodeRegisters.ts';
import {
  checkTiles,
  chooseTiles,
  decodeTiles,
  tilesWorkgroupBytes,
  type TilesVariant,
} from './decodeTiles.ts';
import type { Kernel } from './kernel.ts';
import type { CacheFormat } from './lib.ts';
import type { GqaShape } from './shape.ts';

/** One variant of the fused kernel: a template and its sizes. */
export type FusedVariant = RegistersVariant | TilesVariant;

/** Templates of the fused kernel. */
export type FusedTemplate = FusedVariant['template'];

/** The template that suits a device and shape, as long as nothing was measured, with its sizes. */
export function chooseFused(shape: GqaShape, cache: CacheFormat, facts: DeviceFacts): FusedVariant {
  return chooseIn(chooseTemplate(facts), shape, cache, facts);
}

/**
 * Registers wherever there are subgroups, except on software adapters with subgroups of four (SwiftShader), where tiles
 * are faster (bench/NOTES.md).
 */
function chooseTemplate(facts: DeviceFacts): FusedTemplate {
  if (!hasRegisters(facts)) return 'tiles';
  return facts.software && facts.subgroupMaxSize <= 4 ? 'tiles' : 'registers';
}

/** The sizes of a template that suit a device and shape. Throws FeatureMissingError when the device cannot run it. */
export function chooseIn(
  template: FusedTemplate,
  shape: GqaShape,
  cache: CacheFormat,
  facts: DeviceFacts,
): FusedVariant {
  if (template === 'tiles') return chooseTiles(shape, cache, facts);
  const variant = chooseRegisters(shape, cache, facts);
  checkRegisters(variant, facts);
  return variant;
}

/** The linked kernel of a variant. */
export function fusedKernel(shape: GqaShape, cache: CacheFormat, variant: FusedVariant): Kernel {
  return variant.template === 'tiles'
    ? decodeTiles(shape, cache, variant)
    : decodeRegisters(shape, cache, variant);
}

/** Query rows of a KV head that one workgroup serves. */
export function rowsPerWorkgroup(variant: FusedVariant): number {
  return variant.template === 'tiles' ? variant.rowBlock : variant.teamRows * variant.blocks;
}

/** Workgroups of one item of a plan: row blocks of all KV heads. */
export function workgroupsPerItem(shape: GqaShape, variant: FusedVariant): number {
  return shape.numKvHeads * Math.ceil(shape.rowsPerKvHead / rowsPerWorkgroup(variant));
}

/** A variant in a few words, for tables: `registers wg128 lanes16 tokens2 rows4x1`, `tiles wg64 tile64 rows8 words1`. */
export function variantName(variant: FusedVariant): string {
  if (variant.template === 'tiles') {
    const { wgSize, tile, rowBlock, mixWords } = variant;
    return `tiles wg${wgSize} tile${tile} rows${rowBlock} words${mixWords}`;
  }
  const { wgSize, lanes, tokens, teamRows, blocks } = variant;
  return `registers wg${wgSize} lanes${lanes} tokens${tokens} rows${teamRows}x${blocks}`;
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
  if (variant.template === 'tiles') checkTiles(shape, cache, variant);
  else if (variant.template === 'registers') checkRegisters(variant, facts);
  else throw new ShapeError(`variant: template must be registers or tiles, got ${nameIn(variant)}`);
  const { wgSize, template } = variant;
  if (wgSize > facts.maxInvocations) {
    throw new LimitExceededError(
      `decode_${template}`,
      'maxComputeInvocationsPerWorkgroup',
      wgSize,
      facts.maxInvocations,
    );
  }
  const bytes =
    template === 'tiles'
      ? tilesWorkgroupBytes(cache, variant)
      : registersWorkgroupBytes(shape, cache, variant);
  if (bytes > facts.maxWorkgroupStorage) {
    throw new LimitExceededError(
      `decode_${template}`,
      'maxComputeWorkgroupStorageSize',
      bytes,
      facts.maxWorkgroupStorage,
    );
  }
}

/** What an object that is no variant, whatever its type says, calls its template. */
function nameIn(variant: { readonly template?: unknown }): string {
  return String(variant.template);
}
