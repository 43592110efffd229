// quantised.ts: tells a quantised checkpoint, whose codes mean nothing without the scales beside them.
import { isRecord } from '../../device/options.ts';
import type { Fields } from '../../models/configFields.ts';
import { describe, fail, quote } from '../format/checkpointError.ts';

/** Fields of config.json that say so, with whatever value that is not empty. */
const FIELD = /^(quant|quanti[sz]ation|quanti[sz]ed?)(_config|_method|_algo|_bits?)?$|^compression_config$/;

/** Ends of the names of tensors that go with quantised weights: GPTQ, AWQ, bitsandbytes, FP8, MXFP4, compressed-tensors. */
const COMPANION =
  /[._](qweight|qzeros|g_idx|scb|absmax|quant_map|quant_state\.\w+|weight_format|(weight|input|output|activation|act|[qkv])_scales?(_inv|_ub|_\d)?|weight_(packed|shape|zero_point|g_idx)|zero_point|weight\._(data|scale|zeropoint|shift)(\.\w+)?|scale_inv)$/i;
/** Ends of the names of codes that stand in a weight's place: HQQ (TransformerLens has a W_Q), QuIP#, EXL3, sparse, torchao. */
const CODES = /[._](W_q|Qidxs|trellis|bitmask)$|qdata$/;
/** Ends that also name other things; they count beside a tensor that they can belong to. */
const PERHAPS = /^(.*?)[._](scales?|zeros|blocks|codes|codebooks)$/i;

/** Throws a CheckpointError for a quantised checkpoint, whichever way it says so. */
export function refuseQuantised(names: ReadonlySet<string>, config: Fields, where: string): void {
  const [inConfig, inNames] = [signInConfig(config, ''), signInNames(names)];
  const sign = inConfig ?? inNames;
  if (sign === undefined) return;
  // Tools that undo a quantisation have left the field behind.
  const hint = inNames === undefined ? '; if these weights are whole again, remove that field' : '';
  fail(
    `${where}: is quantised (${sign}); heads cannot be merged as codes without their scales: convert the original, and quantise the result${hint}`,
  );
}

function signInConfig(config: Fields, path: string): string | undefined {
  for (const [name, value] of Object.entries(config)) {
    if (FIELD.test(name) && saysSo(value)) {
      const method = isRecord(value) ? (value['quant_method'] ?? value['quant_algo']) : undefined;
      return `config.json has ${path}${name}${method === undefined ? '' : `, quant_method ${describe(method)}`}`;
    }
    if (!isRecord(value)) continue;
    const nested = signInConfig(value, `${path}${name}.`);
    if (nested !== undefined) return nested;
  }
  return undefined;
}

function saysSo(value: unknown): boolean {
  if (isRecord(value)) return Object.keys(value).length > 0;
  return Boolean(value) && value !== 'none';
}

function signInNames(names: ReadonlySet<string>): string | undefined {
  for (const name of names) {
    const [, base] = PERHAPS.exec(name) ?? [];
    const beside = ['', '.weight', '_blocks', '_scales', '.qweight', '.codes'];
    const belongs = base !== undefined && beside.some((end) => base + end !== name && names.has(base + end));
    if (COMPANION.test(name) || CODES.test(name) || belongs) return `tensor ${quote(name)}`;
  }
  return undefined;
}
