// configBlocks.ts: the blocks of Nemotron-NAS, each with an attention of its own or none.
import { ShapeError } from '../device/errors.ts';
import { asFields, isGiven, listOf, show, wholeOf, type ConfigFile, type Fields } from './configFields.ts';
import { SHAPE_LIMITS } from './limits.ts';

export interface Block {
  /** Query heads that share a KV head; undefined where the block has no attention. */
  readonly groupSize: number | undefined;
  /** Whether the block has a window, which counts for nothing: it only makes a cache smaller. */
  readonly hasWindow: boolean;
}

const UNDERSTOOD = ['no_op', 'replace_with_linear', 'n_heads_in_group', 'window_length', 'num_sink_tokens'];

/** The blocks under `block_configs`, one for each layer, if the file has them. What is not understood is a ShapeError. */
export function blockConfigs(file: ConfigFile, layers: number): readonly Block[] | undefined {
  return listOf(file, 'block_configs', layers)?.map((block, layer) => {
    const where = `${file.where}: block_configs[${layer}]`;
    const attention = asFields(asFields(block, where)['attention'], `${where}: attention`);
    return blockOf(attention, `${where}: attention`);
  });
}

function blockOf(attention: Fields, where: string): Block {
  const unknown = Object.entries(attention).find(
    ([name, value]) => !UNDERSTOOD.includes(name) && isGiven(value) && value !== false,
  );
  if (unknown) throw new ShapeError(`${where}: ${unknown[0]} is not understood, got ${show(unknown[1])}`);
  if (attention['no_op'] === true || attention['replace_with_linear'] === true)
    return { groupSize: undefined, hasWindow: false };
  const groupSize = wholeOf(where, 'n_heads_in_group', attention['n_heads_in_group'], 1, SHAPE_LIMITS.heads);
  return { groupSize, hasWindow: isGiven(attention['window_length']) };
}
