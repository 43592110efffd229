// moduleSpec.ts: the tensors of an attention module, as a format names them.
import type { SlotOrder } from './headSlots.ts';

/** One tensor of an attention module that holds heads. `{layer}` in the name stands for the layer's number. */
export interface PartSpec {
  readonly name: string;
  readonly order: SlotOrder;
  /** Axis of the tensor that the heads lie along. */
  readonly axis: 0 | 1;
  /** What a head has along that axis: head_dim elements, or one (a table with a number for each head). */
  readonly rows: 'headDim' | 'one';
  /** The other axis: the hidden size, a size of its own, or none (a bias). */
  readonly other: 'hidden' | 'any' | 'none';
  readonly optional: boolean;
}

/** The attention modules of one kind, one in each layer. */
export interface ModuleSpec {
  readonly kind: 'self' | 'cross';
  /** Everything whose name begins so belongs to the module, and must be known. */
  readonly folder: string | undefined;
  readonly parts: readonly PartSpec[];
  /** Tensors of the folder that do not depend on the number of heads. */
  readonly unchanged: readonly string[];
  /** Weights of a norm over each head's query and key, [head_dim]. */
  readonly norms: { readonly q: string; readonly k: string } | undefined;
}
