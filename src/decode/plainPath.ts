// plainPath.ts: the plain step: scores, softmax, av, with the whole score matrix in memory.
import type { CreateBuffer } from '../device/buffers.ts';
import { LimitExceededError, ShapeError } from '../device/errors.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { bindKernel, declaredOf, dispatch } from '../device/record.ts';
import { plainAv, plainScores, plainScoresGrid, plainSoftmax } from '../kernels/plain.ts';
import type { DecodePath } from './path.ts';
import { longestOf } from './split.ts';
import type { PlanContext } from './planContext.ts';

/** The path, with room for scores [B, Lq, Hq, capacity] f32. Throws LimitExceededError for a cache of too many tokens. */
export function createPlainPath(
  device: GqaDevice,
  { shape, layout, q, o }: PlanContext,
  create: CreateBuffer,
): DecodePath {
  if (layout.pageSize !== undefined && layout.segments > 1) {
    throw new ShapeError(
      `decoder: kernel: expected another than plain for a cache of ${layout.segments} segments, which reads all keys of a head in one piece`,
    );
  }
  const most = Math.max(...plainScoresGrid(shape, layout.capacity, shape.qLen));
  const { maxGrid } = device.facts;
  if (most > maxGrid)
    throw new LimitExceededError('plain_scores', 'maxComputeWorkgroupsPerDimension', most, maxGrid);
  const buffer = create('scores', shape.rows * layout.capacity * 4);
  const scores = { buffer, offset: 0, size: buffer.size };
  return {
    async compile(withLse) {
      const [scoresKernel, softmaxKernel, avKernel] = await Promise.all([
        device.pipelines.get(plainScores(shape, layout, { q: q.type })),
        device.pipelines.get(plainSoftmax(shape, layout, { lse: withLse })),
        device.pipelines.get(plainAv(shape, layout, { o: o.type })),
      ]);
      return ({ segments, lse, ring, features, ...buffers }) => {
        const steps = segments.map(({ k, v }) => ({
          score: bindKernel(device.gpu, scoresKernel, {
            q: buffers.q,
            k_cache: k,
            step: ring,
            scores,
            ...declaredOf(scoresKernel, features),
          }),
          mix: bindKernel(device.gpu, avKernel, {
            weights: scores,
            v_cache: v,
            step: ring,
            o: buffers.o,
            ...declaredOf(avKernel, features),
          }),
        }));
        const softmax = bindKernel(device.gpu, softmaxKernel, {
          step: ring,
          scores,
          ...(lse && { lse }),
          ...declaredOf(softmaxKernel, features),
        });
        return {
          part: (pass, plan, { segment }, offset) => {
            const { score, mix } = steps[segment]!;
            const qLen = longestOf(plan.qLens);
            // Its one split is as long as the longest sequence.
            dispatch(pass, score, plainScoresGrid(shape, plan.splitLen, qLen), offset);
            dispatch(pass, softmax, plan.rowGrid, offset);
            dispatch(pass, mix, plan.rowGrid, offset);
          },
          join: () => {},
        };
      };
    },
    destroy() {
      buffer.destroy();
    },
  };
}
