// initialWeights.ts: the random parameters that training begins from.
import type { ModelSpec } from '../models/decoder/spec.ts';
import { seededNormals, seedOf } from '../numbers/seeded.ts';
import { blocksOf, layOut } from './parameters.ts';

/** Of the embedding (Radford and others 2019): the first norm makes its rows as large as any. */
const EMBEDDING_DEVIATION = 0.02;

/**
 * Parameters [layout.count]: normal numbers, of the embedding of a deviation of 0.02, of other matrices of 1 / sqrt(inputs), which keeps rows
 * as large as they are (LeCun and others 1998); gains of norms 1, biases 0. A tensor's numbers depend on its name and the seed alone.
 */
export function initialParameters(spec: ModelSpec, seed: number): Float32Array<ArrayBuffer> {
  const layout = layOut(spec);
  const all = new Float32Array(layout.count);
  const tables = new Set([layout.embedding, layout.positions]);
  const gains = new Set(
    [layout.finalNorm, ...layout.layers.flatMap((layer) => [layer.attentionNorm, layer.mlpNorm])].map(
      (norm) => norm.gains,
    ),
  );
  for (const block of blocksOf(layout)) {
    const { offset, columns, pieces } = block;
    const deviation = tables.has(block) ? EMBEDDING_DEVIATION : 1 / Math.sqrt(columns);
    let at = offset;
    // Rows of padding are in no piece, and stay zeros.
    for (const { tensor, rows } of pieces) {
      const part = all.subarray(at, at + rows * columns);
      if (gains.has(block)) part.fill(1);
      else if (columns > 1) fill(part, seedOf(seed, tensor), deviation);
      at += part.length;
    }
  }
  return all;
}

function fill(part: Float32Array, seed: number, deviation: number): void {
  part.set(seededNormals(seed, part.length).map((value) => value * deviation));
}
