// quantised.ts: tells a quantised checkpoint, whose codes mean nothing without the scales beside them.
import type { Fields } from '../../models/configFields.ts';
import { describe, fail, isObject, quote } from '../format/checkpointError.ts';

/** Fields of config.json that say so. */
const FIELDS = ['quantization_config', 'compression_config', 'quantization'];

/** Ends of the names of tensors that go with quantised weights: GPTQ, AWQ, bitsandbytes, FP8, MXFP4, compressed-tensors. */
const COMPANION =
  /[._](qweight|qzeros|g_idx|scb|absmax|quant_map|quant_state\.\w+|weight_format|(weight|input|output|activation|[qkv])_scales?(_inv|_\d)?|weight_(packed|shape|zero_point|g_idx)|zero_point|weight\._(data|scale|zeropoint)|scale_inv)$/i;
/** Ends that also name other things; they count beside a tensor that they can belong to. */
const PERHAPS = /^(.*?)[._](scales?|zeros|blocks|codes|codebooks)$/i;

/** Throws a CheckpointError for a quantised checkpoint, whichever way it says so. */
export function refuseQuantised(names: ReadonlySet<string>, config: Fields, where: string): void {
  const sign = signInConfig(config, '') ?? signInNames(names);
  if (sign === undefined) return;
  fail(
    `${where}: is quantised (${sign}); heads cannot be merged as codes without their scales: convert the original, and quantise the result`,
  );
}

function signInConfig(config: Fields, path: string): string | undefined {
  for (const [name, value] of Object.entries(config)) {
    if (!isObject(value)) continue;
    if (FIELDS.includes(name) && Object.keys(value).length > 0) {
      const method = value['quant_method'] ?? value['quant_algo'];
      return `config.json has ${path}${name}${method === undefined ? '' : `, quant_method ${describe(method)}`}`;
    }
    const nested = signInConfig(value, `${path}${name}.`);
    if (nested !== undefined) return nested;
  }
  return undefined;
}

function signInNames(names: ReadonlySet<string>): string | undefined {
  for (const name of names) {
    const [, base] = PERHAPS.exec(name) ?? [];
    const beside = ['', '.weight', '_blocks', '_scales', '.qweight', '.codes'];
    const belongs = base !== undefined && beside.some((end) => base + end !== name && names.has(base + end));
    if (COMPANION.test(name) || belongs) return `tensor ${quote(name)}`;
  }
  return undefined;
}
