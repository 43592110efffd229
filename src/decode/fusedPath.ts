// fusedPath.ts: the fused step: items, then a merge where a sequence has several.
import type { CreateBuffer } from '../device/buffers.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import type { CompiledKernel } from '../device/pipelines.ts';
import { bindKernel, dispatch } from '../device/record.ts';
import { decodeMerge } from '../kernels/decodeMerge.ts';
import { fusedKernel } from '../kernels/fused.ts';
import { rowGrid } from '../kernels/plain.ts';
import type { CreatePath, DecodePath } from './path.ts';
import { partialBytes, type PlanContext } from './planContext.ts';

/** Invocations that share the states of four elements of an output: many on a GPU, whose memory is far away. */
const MERGE_SETS = { gpu: 4, software: 1 };

/** Compiles the fused kernel and the merge; the path has partial states for the most splits that the context allows. */
export async function compileFusedPath(device: GqaDevice, context: PlanContext): Promise<CreatePath> {
  const { shape, layout, variant, lse } = context;
  const sets = device.facts.software ? MERGE_SETS.software : MERGE_SETS.gpu;
  const [fused, merge] = await Promise.all([
    device.pipelines.get(fusedKernel(shape, layout, variant, lse)),
    device.pipelines.get(decodeMerge(shape, sets, lse)),
  ]);
  return (create) => createPath(device, context, [fused, merge], create);
}

function createPath(
  device: GqaDevice,
  { shape, maxPartials }: PlanContext,
  [fused, merge]: readonly [CompiledKernel, CompiledKernel],
  create: CreateBuffer,
): DecodePath {
  const buffer = create('partial states', partialBytes(shape, maxPartials));
  const partial = { buffer, offset: 0, size: buffer.size };
  const merged = rowGrid(shape);
  return {
    bind({ q, k, v, o, lse, ring }) {
      const inputs = { q, k_cache: k, v_cache: v, step: ring };
      const outputs = { o, ...(lse && { lse }) };
      const items = bindKernel(device.device, fused, { ...inputs, ...outputs, partial });
      const join = bindKernel(device.device, merge, { ...outputs, partial, step: ring });
      return (pass, plan, offset) => {
        dispatch(pass, items, plan.grid, offset);
        if (plan.merges) dispatch(pass, join, merged, offset);
      };
    },
    destroy() {
      buffer.destroy();
    },
  };
}
