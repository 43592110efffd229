// features.ts: what a decoder does to scores and sums beyond scaled products: softcap, windows, sinks, slopes, bias, trees.
import alibiNone from '../../shaders/lib/features/alibi_none.wgsl?raw';
import alibiSlopes from '../../shaders/lib/features/alibi_slopes.wgsl?raw';
import biasAdded from '../../shaders/lib/features/bias_added.wgsl?raw';
import biasNone from '../../shaders/lib/features/bias_none.wgsl?raw';
import biasRelative from '../../shaders/lib/features/bias_relative.wgsl?raw';
import headNumbers from '../../shaders/lib/features/head_numbers.wgsl?raw';
import scores from '../../shaders/lib/features/scores.wgsl?raw';
import sinksLogits from '../../shaders/lib/features/sinks_logits.wgsl?raw';
import sinksNone from '../../shaders/lib/features/sinks_none.wgsl?raw';
import softcapNone from '../../shaders/lib/features/softcap_none.wgsl?raw';
import softcapTanh from '../../shaders/lib/features/softcap_tanh.wgsl?raw';
import treeBits from '../../shaders/lib/features/tree_bits.wgsl?raw';
import treeNone from '../../shaders/lib/features/tree_none.wgsl?raw';
import windowLeft from '../../shaders/lib/features/window_left.wgsl?raw';
import windowNone from '../../shaders/lib/features/window_none.wgsl?raw';
import { ShapeError } from '../device/errors.ts';
import { checkBoolean, checkOptions, checkWhole, describe, type Known } from '../device/options.ts';

/**
 * What a decoder does to its scores, in this order: scale, softcap, ALiBi, bias, then hidden keys; and to a row's sum. They are
 * declared here because kernels depend on them; what differs from layer to layer is given when buffers are bound, trees when a
 * step is planned. Each can go with each, but for trees, where slots are not positions.
 */
export interface FeatureOptions {
  /** Scores s become softcap * tanh(s / softcap): a number above 0, 1e-30 to 1e30. Default: no cap. */
  readonly softcap?: number;
  /**
   * Keys that a query sees at most: its own and the window - 1 right before it, as Mistral, Gemma and gpt-oss count in
   * transformers. At least 1; needs a causal decoder. Keys before all windows are not read. Default: all.
   */
  readonly window?: number;
  /**
   * Keys from the beginning of a sequence that a window leaves in sight, as many as that (StreamingLLM); they are not `sinkLogits`. Keys keep
   * the positions that they were turned by. Needs `window`. Default 0.
   */
  readonly sinkTokens?: number;
  /**
   * Each query head has a logit that counts in the sum of its softmax and has no value (gpt-oss). A row's lse counts it; one
   * that sees no key gets o = 0 and lse = the logit. Default false.
   */
  readonly sinkLogits?: boolean;
  /** Each query head has a slope: slope * (key's slot - the query's own slot) is added to its scores (ALiBi). Default false. */
  readonly alibi?: boolean;
  /** A bias is added to each score; one of -3e38 or less, -Infinity too, hides the key. Default false. */
  readonly bias?: boolean;
  /**
   * A number is added to each score by its head and the distance from the query's own slot to the key's: so many slots before and behind
   * have numbers of their own, keys farther away have those of the farthest (T5). 0 to 65535; not beside `bias`. Default: none.
   */
  readonly relativeBias?: number;
  /**
   * Plans say which of a step's own keys each of its positions sees, as speculative decoding with trees of tokens needs. Causal
   * decoders only, without `window`, `alibi` and `relativeBias`. Default false.
   */
  readonly treeMask?: boolean;
}

export const FEATURE_OPTIONS = {
  softcap: true,
  window: true,
  sinkTokens: true,
  sinkLogits: true,
  alibi: true,
  bias: true,
  relativeBias: true,
  treeMask: true,
} satisfies Known<FeatureOptions>;

/** Farthest distance that may have a number of its own. */
const MAX_DISTANCE = 65535;

const FLAGS = ['sinkLogits', 'alibi', 'bias', 'treeMask'] as const;

/** Checked features: those that are wanted, and no others. Throws ShapeError for what is none or does not go together. */
export function checkFeatures(where: string, options: FeatureOptions, causal: boolean): FeatureOptions {
  checkOptions(where, options, FEATURE_OPTIONS);
  const { softcap, window, sinkTokens = 0, relativeBias } = options;
  if (softcap !== undefined) checkSoftcap(`${where}: softcap`, softcap);
  if (window !== undefined) checkWhole(`${where}: window`, window, 1, 2 ** 32 - 1);
  checkWhole(`${where}: sinkTokens`, sinkTokens, 0, 2 ** 32 - 1);
  if (sinkTokens > 0 && window === undefined) {
    throw new ShapeError(`${where}: sinkTokens: expected a window beside them, got none`);
  }
  for (const name of FLAGS) if (options[name] !== undefined) checkBoolean(`${where}: ${name}`, options[name]);
  if (relativeBias !== undefined) {
    checkWhole(`${where}: relativeBias`, relativeBias, 0, MAX_DISTANCE);
    if (options.bias) throw new ShapeError(`${where}: expected bias or relativeBias, got both`);
  }
  const flags = FLAGS.filter((name) => options[name]);
  for (const name of ['window', 'treeMask'] as const) {
    if (options[name] && !causal) {
      throw new ShapeError(`${where}: ${name}: expected a causal decoder, got causal: false`);
    }
  }
  for (const name of ['window', 'alibi', 'relativeBias'] as const) {
    if (options.treeMask && options[name] !== undefined && options[name] !== false) {
      throw new ShapeError(
        `${where}: expected treeMask or ${name}, got both: a tree's slots are not positions`,
      );
    }
  }
  return {
    ...(softcap !== undefined && { softcap: Math.fround(softcap) }),
    ...(window !== undefined && { window }),
    ...(sinkTokens > 0 && { sinkTokens }),
    ...(relativeBias !== undefined && { relativeBias }),
    ...Object.fromEntries(flags.map((name) => [name, true])),
  };
}

/** Throws ShapeError unless this is a cap. */
export function checkSoftcap(where: string, softcap: number): void {
  if (typeof softcap === 'number' && softcap >= 1e-30 && softcap <= 1e30) return;
  throw new ShapeError(`${where}: expected a number from 1e-30 to 1e30, got ${describe(softcap)}`);
}

/** What of a shape decides which libs its kernels link. */
interface Featured {
  readonly numQHeads: number;
  readonly qLen: number;
  readonly causal: boolean;
  readonly features: FeatureOptions;
  /** The kernel walks along all keys of a sequence, not along items, which begin where windows do. Default false. */
  readonly allKeys?: boolean;
}

/** Whether kernels bind numbers of each query head. */
export function hasHeadNumbers({ sinkLogits, alibi, bias }: FeatureOptions): boolean {
  return Boolean(sinkLogits || alibi || bias);
}

/** Whether a row may not see a key of its item for another reason than causality. */
export function hides(shape: Featured): boolean {
  const { bias, treeMask } = shape.features;
  return windowIn(shape) !== undefined || Boolean(bias || treeMask);
}

/** Whether what is added to a score depends on how far its key is from the row's own. */
export function addsByDistance({ features: { alibi, relativeBias } }: Featured): boolean {
  return Boolean(alibi) || relativeBias !== undefined;
}

/** The window, where the kernel has to look after it. */
function windowIn({ qLen, allKeys = false, features: { window } }: Featured): number | undefined {
  return qLen > 1 || allKeys ? window : undefined;
}

/** The libs of a kernel that finishes scores: what happens to them, and who sees which key. */
export function scoreLibs(shape: Featured): string[] {
  const { softcap, alibi, bias, relativeBias, treeMask } = shape.features;
  const window = windowIn(shape);
  return [
    scores,
    softcap === undefined ? softcapNone : `${softcapTanh}\nconst SOFTCAP = ${softcap}f;`,
    window === undefined ? windowNone : `${windowLeft}\nconst WINDOW = ${window}u;`,
    alibi ? alibiSlopes : alibiNone,
    biasLib(bias, relativeBias),
    treeMask ? treeBits : treeNone,
    ...(alibi || bias ? [headNumbersLib(shape.numQHeads)] : []),
  ];
}

function biasLib(bias: boolean | undefined, farthest: number | undefined): string {
  if (farthest !== undefined) return `${biasRelative}\nconst FARTHEST = ${farthest};`;
  return bias ? biasAdded : biasNone;
}

/** The libs of a kernel that finishes rows: their sinks. */
export function sinkLibs({ numQHeads, features }: Pick<Featured, 'numQHeads' | 'features'>): string[] {
  return features.sinkLogits ? [sinksLogits, headNumbersLib(numQHeads)] : [sinksNone];
}

/** The libs of a kernel that does both. */
export function featureLibs(shape: Featured): string[] {
  return [...new Set([...scoreLibs(shape), ...sinkLibs(shape)])];
}

/** For kernels that merge rows which are finished already. */
export const NO_SINKS = sinksNone;

/** Constants of lib scores. */
export function featureConsts(shape: Featured) {
  const { softcap, alibi, bias, relativeBias } = shape.features;
  return {
    MASKED: (shape.causal && shape.qLen > 1) || hides(shape),
    SHAPED: Boolean(alibi || bias) || softcap !== undefined || relativeBias !== undefined,
    HIDES: hides(shape),
    SINK_TOKENS: windowIn(shape) === undefined ? 0 : (shape.features.sinkTokens ?? 0),
  };
}

function headNumbersLib(numQHeads: number): string {
  return `${headNumbers}\nconst NUM_Q_HEADS = ${numQHeads}u;`;
}
