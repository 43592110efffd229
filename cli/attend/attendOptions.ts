// attendOptions.ts: the options of `gqa attend`, its help, and which of them do not go together.
import { InvalidArgumentError, Option } from 'commander';
import { RANGES_HELP } from '../../bench/report/kvRanges.ts';
import { DECODE_KERNELS, type KernelChoice } from '../../src/decode/planContext.ts';
import { ShapeError } from '../../src/device/errors.ts';
import { PAGE_SIZES } from '../../src/cache/pagePool.ts';
import { checkSoftcap } from '../../src/kernels/features.ts';
import { MAX_HEAD_DIM } from '../../src/kernels/shape.ts';
import { adapterOptions, type AdapterOptions } from '../../src/node/command/openNode.ts';
import { outputPath } from '../../src/node/command/outputOption.ts';
import { wholeNumber } from '../../src/node/command/usage.ts';
import { KV_TYPES, type KvType } from '../../src/numbers/elements.ts';
import { ROPE_STYLES, type RopeStyle } from '../../src/numbers/rope.ts';
import { SCORE_STAGES, type ScoreStage } from '../../src/reference/scores.ts';

/** Which key the causal mask is aligned to. */
const ALIGNMENTS = ['last-key', 'first-key', 'none'] as const;
export type Alignment = (typeof ALIGNMENTS)[number];

/** Names of tensors in the input, and the heads of those of three axes. */
export interface TensorOptions {
  readonly causal: Alignment;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly kvLens?: string;
  readonly pastK?: string;
  readonly pastV?: string;
  readonly mask?: string;
  readonly bias?: string;
  readonly sinkLogits?: string;
}

/** How q and new k are turned before attention. */
export interface RopeArgs {
  readonly ropeBase?: number;
  readonly ropeStyle?: RopeStyle;
  readonly ropeDim?: number;
}

export interface AttendOptions extends TensorOptions, RopeArgs, AdapterOptions {
  readonly out: string;
  readonly kvDtype: KvType;
  readonly kernel: KernelChoice;
  readonly scale?: number;
  readonly softcap?: number;
  readonly window?: number;
  readonly sinkTokens?: number;
  readonly alibi?: true;
  readonly pageSize?: number;
  readonly scores?: ScoreStage;
}

/** What commander makes of the command line: `--no-causal` is the false. */
export type ParsedOptions = Omit<AttendOptions, 'causal' | 'pageSize'> & {
  readonly causal: Alignment | false;
  readonly pageSize?: string;
};

export const ATTEND_OPTIONS: readonly Option[] = [
  new Option('--out <file>', 'safetensors file to write').argParser(outputPath).makeOptionMandatory(),
  // -o is a format in every command; here it was the file.
  new Option('-o, --output <file>').hideHelp().argParser((text: string) => {
    throw new InvalidArgumentError(`-o is the format of a report; expected --out ${text} for the file.`);
  }),
  new Option('--kv-dtype <type>', 'element type of the cache that k and v go through')
    .choices(KV_TYPES)
    .default('f32'),
  new Option('--page-size <n>', 'tokens of a page; default: a cache without pages').choices(
    PAGE_SIZES.map(String),
  ),
  new Option('--kernel <name>', 'kernel').choices(['auto', ...DECODE_KERNELS]).default('auto'),
  new Option('--scale <x>', 'factor on q . k (default: 1 / sqrt(D))').argParser(finiteNumber),
  new Option('--causal <alignment>', 'key that the last query or the first is aligned to, or none')
    .choices(ALIGNMENTS)
    .default('last-key'),
  new Option('--no-causal', 'every query sees every key: --causal none'),
  new Option('--heads <n>', 'Hq, where q has three axes').argParser(count),
  new Option('--kv-heads <n>', 'Hkv, where k and v have three axes').argParser(count),
  new Option('--kv-lens <name>', 'tensor of lengths (default: kv_lens, if it is there)'),
  new Option('--past-k <name>', 'keys that come before those of k; needs --past-v'),
  new Option('--past-v <name>', 'values that come before those of v; needs --past-k'),
  new Option('--mask <name>', 'tensor added to scores, or booleans: true where the key is seen'),
  new Option('--bias <name>', 'tensor added to scores, beside a mask'),
  new Option('--softcap <x>', 'scores s become x * tanh(s / x)').argParser(softcap),
  new Option('--window <n>', 'keys that a query sees at most, its own included').argParser(count),
  new Option('--sink-tokens <n>', 'first keys that a window leaves in sight; needs --window').argParser(
    count,
  ),
  new Option('--sink-logits <name>', "tensor [Hq] of logits that count in a softmax's sum"),
  new Option('--alibi', "add each head's ALiBi slope times the distance to its own key"),
  new Option('--rope-base <x>', 'turn q and k by their positions: RoPE of this base').argParser(ropeBase),
  new Option('--rope-style <style>', 'pairs of that: d and d + D/2, or 2d and 2d + 1').choices(ROPE_STYLES),
  new Option('--rope-dim <n>', 'elements of a row that are turned, the first ones (default: D)').argParser(
    ropeDim,
  ),
  new Option('--scores <stage>', 'also write scores, computed in float64 on the CPU').choices(SCORE_STAGES),
  ...adapterOptions(),
];

export const ATTEND_HELP = `
Input:   q [B, Hq, Lq, D], k [B, Hkv, T, D] and v [B, Hkv, T, Dv], each F32, F16 or BF16, D and Dv 1 to 512, Lq to 32,768.
         With --heads and --kv-heads they may be [B, Lq, Hq * D], [B, T, Hkv * D] and [B, T, Hkv * Dv].
         kv_lens [B], integers, is optional: the tokens of each sequence that are valid, --past-k's included.
         --mask and --bias: any shape that broadcasts to [B, Hq, Lq, T]. -inf hides a key, and so does a mask's end before T.
Causal:  last-key: query i sees all but the last Lq - 1 - i valid keys, as in decoding and in flash-attention.
         first-key: query i sees all of --past-k and keys 0 to i of k, as in ONNX and in PyTorch's is_causal.
RoPE:    k is turned by its positions, from 0 or behind --past-k, whose keys come turned, as caches have them; q by those of
         the keys that its queries are aligned to, with --causal none as with last-key. In the cache and present_k, keys are turned.
Output:  o as q, with Dv for D, and lse [B, Hq, Lq] (natural logarithm) as F32; a query that sees no key has o 0, lse -3e38.
         With --past-k: present_k and present_v [B, Hkv, T, D], as the cache holds them. With --scores: scores [B, Hq, Lq, T]:
         scaled: scale * q . k; capped: after --softcap; biased: after ALiBi, bias and mask; weights: after the softmax.
         A query with a score past 2.9e38, or with NaN or infinity in what it reads, has NaN: said, with exit code 1.

${RANGES_HELP}

Examples:
  gqa attend in.safetensors --out out.safetensors
  gqa attend in.safetensors --out out.safetensors --kv-dtype f16 --kernel plain --causal none --scale 0.1
  gqa attend in.safetensors --out out.safetensors --window 128 --softcap 30 --page-size 16
  gqa attend in.safetensors --out out.safetensors --rope-base 500000
  gqa attend onnx.safetensors --out out.safetensors --causal first-key --mask attn_mask --past-k past_key --past-v past_value`;

/** Throws ShapeError for options that do not go together. */
export function checkedOptions({ causal, pageSize, ...options }: ParsedOptions): AttendOptions {
  const alignment = causal === false ? 'none' : causal;
  for (const name of ['window', 'alibi'] as const) {
    if (options[name] === undefined || alignment !== 'none') continue;
    throw new ShapeError(`--${name}: expected --causal first-key or last-key beside it, got none`);
  }
  if (options.sinkTokens !== undefined && options.window === undefined) {
    throw new ShapeError('--sink-tokens: expected --window beside it, got none');
  }
  for (const name of ['style', 'dim'] as const) {
    if (options[name === 'style' ? 'ropeStyle' : 'ropeDim'] === undefined || options.ropeBase !== undefined)
      continue;
    throw new ShapeError(`--rope-${name}: expected --rope-base beside it, got none`);
  }
  if ((options.pastK === undefined) !== (options.pastV === undefined)) {
    const [given, missing] = options.pastK === undefined ? ['v', 'k'] : ['k', 'v'];
    throw new ShapeError(`--past-${given}: expected --past-${missing} beside it, got none`);
  }
  return { ...options, causal: alignment, ...(pageSize !== undefined && { pageSize: Number(pageSize) }) };
}

function count(text: string): number {
  return wholeNumber(text, 1, 2 ** 32 - 1);
}

function finiteNumber(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  // The kernels take it as an f32.
  if (!Number.isFinite(Math.fround(value))) {
    throw new InvalidArgumentError(`expected a finite f32 number, got "${text}".`);
  }
  return value;
}

function ropeBase(text: string): number {
  const value = finiteNumber(text);
  if (value <= 1) throw new InvalidArgumentError(`expected a number above 1, got "${text}".`);
  return value;
}

function ropeDim(text: string): number {
  const value = wholeNumber(text, 2, MAX_HEAD_DIM);
  if (value % 2 !== 0) throw new InvalidArgumentError(`expected an even number, got "${text}".`);
  return value;
}

function softcap(text: string): number {
  const value = finiteNumber(text);
  try {
    checkSoftcap('--softcap', value);
  } catch {
    throw new InvalidArgumentError(`expected a number from 1e-30 to 1e30, got "${text}".`);
  }
  return value;
}
