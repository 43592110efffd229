// mapHint.ts: lines of --map to choose from, for a fused projection whose order is not known.
import type { ModelShape } from '../../models/presets.ts';
import { MODULE } from '../../models/families/family.ts';
import type { TensorSpec } from '../format/safetensors.ts';

/** Names of tensors that hold queries, keys and values. */
const FUSED = /(qkv|query_key_value|c_attn|w_?pack|in_proj)[^.]*(\.weight|_weight)?$/i;

/** The two orders that --map knows, and who has them. */
const ORDERS = [
  ['qkv', 'all queries, then all keys, then all values, as GPT-2 and Phi-3 have them'],
  ['grouped', 'for each KV head its queries, its key, its value, as GPT-NeoX and BLOOM have them'],
] as const;

interface Fused {
  readonly name: string;
  readonly output: string;
  readonly transposed: boolean;
}

/** A choice of options to paste, a line for each order; undefined where no tensor has the shape of a fused projection. */
export function mapHint(tensors: ReadonlyMap<string, TensorSpec>, shape: ModelShape): string | undefined {
  const found = findFused(tensors, shape);
  if (!found) return undefined;
  const { name, output, transposed } = found;
  const suffix = transposed ? ':transposed' : '';
  const lines = ORDERS.map(
    ([order, what]) => `  --map ${order}=${name}${suffix} --map o=${output}${suffix}    (${what})`,
  );
  return ['say which order it has; a wrong one mixes queries with keys:', ...lines].join('\n');
}

function findFused(tensors: ReadonlyMap<string, TensorSpec>, shape: ModelShape): Fused | undefined {
  const { numQHeads, numKvHeads, headDim, hiddenSize } = shape;
  const [inner, all] = [numQHeads * headDim, (numQHeads + 2 * numKvHeads) * headDim];
  const is = ({ shape: given }: TensorSpec, sizes: readonly number[]) => given.join() === sizes.join();
  for (const tensor of tensors.values()) {
    const transposed = is(tensor, [hiddenSize, all]);
    if (!FUSED.test(tensor.name) || !/\.\d+\./.test(tensor.name)) continue;
    if (!transposed && !is(tensor, [all, hiddenSize])) continue;
    const folder = /^.*\.\d+\.[^.]+\./.exec(tensor.name)?.[0] ?? '';
    const sizes = transposed ? [inner, hiddenSize] : [hiddenSize, inner];
    const output = [...tensors.values()].filter(
      (other) => other.name.startsWith(folder) && other !== tensor && is(other, sizes),
    );
    if (output.length !== 1) continue;
    const template = (name: string) => name.replace(/\.\d+\./, `.${MODULE}.`);
    return { name: template(tensor.name), output: template(output[0]!.name), transposed };
  }
  return undefined;
}
