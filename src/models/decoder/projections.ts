// projections.ts: where the outputs and inputs of projections lie once heads are padded.
import { paddedWidth } from '../../kernels/model/weightsLib.ts';
import { paddedHeadDim } from './headDims.ts';
import { headColumns, type MatrixSource, type Piece } from './packing.ts';
import type { AttentionSpec, ProjectionSpec } from './spec.ts';

/** A projection whose outputs may be zeros: those whose row is negative. */
export type PaddedProjection = Pick<ProjectionSpec, 'tensor' | 'transposed' | 'bias' | 'outputs' | 'rowOf'>;

/** A projection of heads, each padded, its halves swapped where it is turned the other way round: (b, a) turned is (a, b) turned back. */
function padded(
  projection: ProjectionSpec,
  heads: number,
  { headDim, turnsBack, rope }: AttentionSpec,
  turned: boolean,
): PaddedProjection {
  const width = paddedHeadDim(headDim);
  const half = (rope?.rotaryDim ?? headDim) / 2;
  const swapped = (d: number) => (d < half ? d + half : d < 2 * half ? d - half : d);
  const rowOf = (output: number) => {
    const [head, d] = [Math.floor(output / width), output % width];
    if (d >= headDim) return -1;
    return projection.rowOf(head * headDim + (turned && turnsBack ? swapped(d) : d));
  };
  return { ...projection, outputs: heads * width, rowOf };
}

/** The projections to the heads, each padded. */
export function headParts(attention: AttentionSpec): Record<'q' | 'k' | 'v', PaddedProjection> {
  const { q, k, v, numQHeads, numKvHeads } = attention;
  return {
    q: padded(q, numQHeads, attention, true),
    k: padded(k, numKvHeads, attention, true),
    v: padded(v, numKvHeads, attention, false),
  };
}

/** The inputs of the output projection: heads, padded. */
export function outputColumns({ numQHeads, headDim }: AttentionSpec): Int32Array {
  const width = paddedHeadDim(headDim);
  return headColumns(numQHeads, headDim, width, paddedWidth(numQHeads * width));
}

/** Where outputs of projections that lie one behind the other are found; `matrices`: one list, or that of the gate and that of the other. */
export function placeIn(
  matrices: readonly (readonly PaddedProjection[])[],
  pieces: ReadonlyMap<string, Piece>,
): MatrixSource['place'] {
  return (output, matrix) => {
    let at = output;
    for (const part of matrices[matrix]!) {
      if (at < part.outputs) {
        const row = part.rowOf(at);
        return row < 0 ? undefined : { piece: pieces.get(part.tensor)!, row };
      }
      at -= part.outputs;
    }
    return undefined;
  };
}
