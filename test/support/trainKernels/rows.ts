// rows.ts: the training kernels on rows, in all their variants.
import { ACTIVATION_NAMES } from '../../../src/kernels/model/product.ts';
import type { Kernel } from '../../../src/kernels/kernel.ts';
import {
  activate,
  activateBack,
  columnSums,
  normGains,
  normInputs,
  normRows,
  sumParts,
  turnBack,
} from '../../../src/kernels/train/rows.ts';
import { ROPE_STYLES } from '../../../src/numbers/rope.ts';
import { everyCase } from '../pairs.ts';

/** All of them: of norms, of sums, of activations, of RoPE. */
export function rowsKernels(): Kernel[] {
  return [
    ...everyCase({ norm: ['rms', 'layer'], bias: [false, true], software: [false, true] }).map((each) =>
      normRows(each, each),
    ),
    ...everyCase({ norm: ['rms', 'layer'], adds: [false, true], software: [false, true] }).map((each) =>
      normInputs(each, each),
    ),
    ...[false, true].flatMap((software) => [normGains({ software }), columnSums({ software })]),
    sumParts(),
    ...everyCase({ activation: ACTIVATION_NAMES, gated: [false, true] }).flatMap((each) => [
      activate(each),
      activateBack(each),
    ]),
    ...everyCase({
      style: ROPE_STYLES,
      sizes: [
        [64, 64],
        [80, 32],
        [256, 256],
        [8, 2],
      ],
    }).map(({ style, sizes: [headDim, rotaryDim] }) => turnBack({ headDim, rotaryDim, style })),
  ];
}
