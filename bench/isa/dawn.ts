// dawn.ts: how Dawn is started, so that the layer knows kernels by the labels of their modules.
import type { NodeGpuOptions } from '../../src/node.ts';

export const LABELLED: NodeGpuOptions = {
  dawnFlags: ['enable-dawn-features=use_user_defined_labels_in_backend'],
};
