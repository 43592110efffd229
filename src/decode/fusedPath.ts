// fusedPath.ts: the fused step: items, then a merge where a sequence has several.
import type { CreateBuffer } from '../device/buffers.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { bindKernel, declaredOf, dispatch } from '../device/record.ts';
import { decodeMerge, mergeSets } from '../kernels/decodeMerge.ts';
import { fusedKernel } from '../kernels/fused.ts';
import type { DecodePath } from './path.ts';
import { partialBytes, type PlanContext } from './planContext.ts';

/** The path, with room for the partial states of the most splits that the context allows. */
export function createFusedPath(device: GqaDevice, context: PlanContext, create: CreateBuffer): DecodePath {
  const { shape, layout, variant, maxPartials, subgroupSize } = context;
  const buffer = create('partial states', Math.max(16, partialBytes(shape, maxPartials)));
  const partial = { buffer, offset: 0, size: buffer.size };
  const sets = mergeSets(shape.vHeadDim, device.facts);
  return {
    async compile(lse) {
      const rows = { q: context.q.type, o: context.o.type, lse };
      const [fused, merge] = await Promise.all([
        device.pipelines.get(fusedKernel(shape, layout, variant, rows, subgroupSize)),
        device.pipelines.get(decodeMerge(shape, sets, rows)),
      ]);
      return ({ q, segments, ring, features, ...outputs }) => {
        const items = segments.map(({ k, v }) =>
          bindKernel(device.gpu, fused, {
            q,
            k_cache: k,
            v_cache: v,
            step: ring,
            ...outputs,
            partial,
            ...declaredOf(fused, features),
          }),
        );
        const join = bindKernel(device.gpu, merge, {
          ...outputs,
          partial,
          step: ring,
          ...declaredOf(merge, features),
        });
        return {
          part: (pass, _plan, { segment, grid }, offset) => dispatch(pass, items[segment]!, grid, offset),
          join: (pass, plan, offset) => {
            if (plan.merges) dispatch(pass, join, plan.rowGrid, offset);
          },
        };
      };
    },
    destroy() {
      buffer.destroy();
    },
  };
}
