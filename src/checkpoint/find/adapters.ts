// adapters.ts: refuses adapters (LoRA and its kin), whose shapes are those of the heads that the weights had.
import { fail, quote } from '../format/checkpointError.ts';

/** A file that says that one lies beside the weights; loaders would put it on them. */
export const ADAPTER_CONFIG = 'adapter_config.json';

/** Names of an adapter's tensors, and of the weights that it was put around. */
const ADAPTER =
  /(^|[._])(lora_(A|B|up|down|magnitude_vector|embedding_[AB])|base_layer|modules_to_save)([._]|$)/;

/** Throws a CheckpointError when tensors of an adapter are among the names. */
export function refuseAdapters(names: Iterable<string>, where: string): void {
  for (const name of names) if (ADAPTER.test(name)) refuseAdapter(`tensor ${quote(name)}`, where);
}

export function refuseAdapter(sign: string, where: string): never {
  return fail(
    `${where}: has an adapter (${sign}), which does not fit other heads; merge it into the weights first`,
  );
}
