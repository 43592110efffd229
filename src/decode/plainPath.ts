// plainPath.ts: the plain step: scores, softmax, av, with the whole score matrix in memory.
import type { CreateBuffer } from '../device/buffers.ts';
import { LimitExceededError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { bindKernel, declaredOf, dispatch } from '../device/record.ts';
import { plainAv, plainScores, plainScoresGrid, plainSoftmax, rowGrid } from '../kernels/plain.ts';
import type { DecodePath } from './path.ts';
import type { PlanContext } from './planContext.ts';

/** The path, with room for scores [B, Hq, Lq, capacity] f32. Throws LimitExceededError for a cache of too many tokens. */
export function createPlainPath(
  device: GqaDevice,
  { shape, layout }: PlanContext,
  create: CreateBuffer,
): DecodePath {
  const [tiles] = plainScoresGrid(shape, layout.capacity);
  const { maxGrid } = device.facts;
  if (tiles > maxGrid)
    throw new LimitExceededError('plain_scores', 'maxComputeWorkgroupsPerDimension', tiles, maxGrid);
  const buffer = create('scores', shape.rows * layout.capacity * 4);
  const scores = { buffer, offset: 0, size: buffer.size };
  const rows = rowGrid(shape);
  return {
    async compile(withLse) {
      const [scoresKernel, softmaxKernel, avKernel] = await Promise.all([
        device.pipelines.get(plainScores(shape, layout)),
        device.pipelines.get(plainSoftmax(shape, withLse)),
        device.pipelines.get(plainAv(shape, layout)),
      ]);
      return ({ q, k, v, o, lse, ring, features }) => {
        const score = bindKernel(device.gpu, scoresKernel, {
          q,
          k_cache: k,
          step: ring,
          scores,
          ...declaredOf(scoresKernel, features),
        });
        const softmax = bindKernel(device.gpu, softmaxKernel, {
          step: ring,
          scores,
          ...(lse && { lse }),
          ...declaredOf(softmaxKernel, features),
        });
        const mix = bindKernel(device.gpu, avKernel, {
          weights: scores,
          v_cache: v,
          step: ring,
          o,
          ...declaredOf(avKernel, features),
        });
        return (pass, plan, offset) => {
          // Its one split is as long as the longest sequence.
          dispatch(pass, score, plainScoresGrid(shape, plan.splitLen), offset);
          dispatch(pass, softmax, rows, offset);
          dispatch(pass, mix, rows, offset);
        };
      };
    },
    destroy() {
      buffer.destroy();
    },
  };
}
