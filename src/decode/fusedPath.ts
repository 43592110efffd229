// fusedPath.ts: the fused step: split, then merge; one dispatch when there is only one split.
import { createStorage } from '../device/buffers.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { bindKernel, dispatch } from '../device/record.ts';
import { decodeMerge } from '../kernels/decodeMerge.ts';
import { decodeSplit } from '../kernels/decodeSplit.ts';
import { rowGrid } from '../kernels/plain.ts';
import type { DecodePath } from './path.ts';
import type { PlanContext } from './plan.ts';

/** Compiles split and merge and allocates partial states for the most splits the context allows. */
export async function createFusedPath(device: GqaDevice, context: PlanContext): Promise<DecodePath> {
  const { shape, layout, variant, maxSplits } = context;
  const [partial, final, merge] = await Promise.all([
    device.pipelines.get(decodeSplit(shape, layout, variant, 'partial')),
    device.pipelines.get(decodeSplit(shape, layout, variant, 'final')),
    device.pipelines.get(decodeMerge(shape)),
  ]);
  const partialO = createStorage(device, 'partial_o', shape.rows * maxSplits * shape.headDim * 4);
  const partialMl = createStorage(device, 'partial_ml', shape.rows * maxSplits * 8);
  const partial_o = { buffer: partialO, offset: 0, size: partialO.size };
  const partial_ml = { buffer: partialMl, offset: 0, size: partialMl.size };
  const merged = rowGrid(shape);
  return {
    bind({ q, k, v, o, lse, ring }) {
      const inputs = { q, k_cache: k, v_cache: v, step: ring };
      const whole = bindKernel(device.device, final, { ...inputs, o, lse });
      const split = bindKernel(device.device, partial, { ...inputs, partial_o, partial_ml });
      const join = bindKernel(device.device, merge, { partial_o, partial_ml, o, lse, step: ring });
      return (pass, plan, offset) => {
        if (plan.numSplits === 1) return dispatch(pass, whole, plan.grid, offset);
        dispatch(pass, split, plan.grid, offset);
        dispatch(pass, join, merged, offset);
      };
    },
    destroy() {
      partialO.destroy();
      partialMl.destroy();
    },
  };
}
