// attentionModule.ts: the tensors of one layer's attention that hold heads.
import type { SlotOrder, View } from '../../models/families/headSlots.ts';
import type { TensorSpec } from '../format/safetensors.ts';

/** A tensor of a module that holds heads. */
export interface Part {
  readonly tensor: TensorSpec;
  readonly order: SlotOrder;
  readonly axis: 0 | 1;
  readonly view: View;
  /** A projection and its bias, or a table that goes with them. */
  readonly kind: 'weight' | 'bias' | 'table';
  /** True when a head has head_dim rows here, which matrices can act on; false for one number (or row) a head. */
  readonly isHead: boolean;
}

/** The self- or cross-attention of one layer. */
export interface AttentionModule {
  readonly name: string;
  readonly kind: 'self' | 'cross';
  readonly layer: number;
  readonly parts: readonly Part[];
  /** Names of the weights of the norms over each head's q and k, where there are any. */
  readonly norms: { readonly q: string; readonly k: string } | undefined;
}
