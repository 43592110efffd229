// registersSizes.ts: the sizes that are chosen for decode_registers, whatever the shape, and what follows from them.
import type { DeviceFacts } from '../../src/device/gqaDevice.ts';
import { chooseRegisters, type RegistersVariant } from '../../src/kernels/decodeRegisters.ts';
import { KV_TYPES } from '../../src/kernels/elements.ts';
import { checkShape, HEAD_DIMS } from '../../src/kernels/shape.ts';

/** Teams with the same rows. */
export function runsOf({ wgSize, lanes, blocks }: RegistersVariant): number {
  return wgSize / lanes / blocks;
}

/** Keys of a round. */
export function roundOf(variant: RegistersVariant): number {
  return runsOf(variant) * variant.tokens;
}

/** What a device of these facts is ever given: a variant for each combination of lanes, tokens, rows and blocks. */
export function chosenRegisters(facts: DeviceFacts): RegistersVariant[] {
  const found = new Map<string, RegistersVariant>();
  for (const headDim of HEAD_DIMS) {
    for (const kType of KV_TYPES) {
      for (const vType of KV_TYPES) {
        for (let rows = 1; rows <= 128; rows++) {
          const shape = checkShape({ numQHeads: rows, numKvHeads: 1, headDim });
          const variant = chooseRegisters(shape, { kType, vType }, facts);
          const { lanes, tokens, teamRows, blocks } = variant;
          const key = [lanes, tokens, teamRows, blocks].join();
          if (!found.has(key)) found.set(key, variant);
        }
      }
    }
  }
  return [...found.values()];
}
