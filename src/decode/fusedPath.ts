// fusedPath.ts: the fused step: items, then a merge where a sequence has several.
import type { CreateBuffer } from '../device/buffers.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import { bindKernel, dispatch } from '../device/record.ts';
import { decodeMerge } from '../kernels/decodeMerge.ts';
import { fusedKernel } from '../kernels/fused.ts';
import { rowGrid } from '../kernels/plain.ts';
import type { CreatePath, DecodePath } from './path.ts';
import type { PlanContext } from './planContext.ts';

/** Invocations that share the states of four elements of an output: many on a GPU, whose memory is far away. */
const MERGE_SETS = { gpu: 4, software: 1 };

/** Compiles the fused kernel and the merge; the path has partial states for the most splits that the context allows. */
export async function compileFusedPath(device: GqaDevice, context: PlanContext): Promise<CreatePath> {
  const { shape, layout, variant } = context;
  const sets = device.facts.software ? MERGE_SETS.software : MERGE_SETS.gpu;
  const [fused, merge] = await Promise.all([
    device.pipelines.get(fusedKernel(shape, layout, variant)),
    device.pipelines.get(decodeMerge(shape, sets)),
  ]);
  return (create) => createPath(device, context, [fused, merge], create);
}

function createPath(
  device: GqaDevice,
  { shape, maxPartials }: PlanContext,
  [fused, merge]: readonly [CompiledKernel, CompiledKernel],
  create: CreateBuffer,
): DecodePath {
  const rows = maxPartials * shape.numQHeads * shape.qLen;
  const partialO = create('partial_o', rows * shape.headDim * 4);
  const partialMl = create('partial_ml', rows * 8);
  const partial_o = { buffer: partialO, offset: 0, size: partialO.size };
  const partial_ml = { buffer: partialMl, offset: 0, size: partialMl.size };
  const merged = rowGrid(shape);
  return {
    bind({ q, k, v, o, lse, ring }) {
      const inputs = { q, k_cache: k, v_cache: v, step: ring };
      const items = bindKernel(device.device, fused, { ...inputs, o, lse, partial_o, partial_ml });
      const join = bindKernel(device.device, merge, { partial_o, partial_ml, o, lse, step: ring });
      return (pass, plan, offset) => {
        dispatch(pass, items, plan.grid, offset);
        if (plan.merges) dispatch(pass, join, merged, offset);
      };
    },
    destroy() {
      partialO.destroy();
      partialMl.destroy();
    },
  };
}
