// initialWeights.ts: the random parameters that training begins from.
import type { ModelSpec } from '../models/decoder/spec.ts';
import { seededNormals, seedOf } from '../numbers/seeded.ts';
import { blocksOf, layOut } from './parameters.ts';

/** The usual deviation of a small transformer's weights (Radford and others 2019). */
const DEVIATION = 0.02;

/**
 * Parameters [layout.count]: matrices of normal numbers of a deviation of 0.02, those that write to the residual stream narrower by the root of twice the
 * layers, gains of norms 1, biases 0.
 */
export function initialParameters(spec: ModelSpec, seed: number): Float32Array<ArrayBuffer> {
  const layout = layOut(spec);
  const all = new Float32Array(layout.count);
  const residual = DEVIATION / Math.sqrt(2 * spec.layers.length);
  const narrow = new Set(layout.layers.flatMap(({ o, down }) => [o.weights, down.weights]));
  const gains = new Set(
    [layout.finalNorm, ...layout.layers.flatMap((layer) => [layer.attentionNorm, layer.mlpNorm])].map(
      (norm) => norm.gains,
    ),
  );
  for (const block of blocksOf(layout)) {
    let at = block.offset;
    // Rows of padding are in no piece, and stay zeros.
    for (const { tensor, rows } of block.pieces) {
      const part = all.subarray(at, at + rows * block.columns);
      if (gains.has(block)) part.fill(1);
      else if (block.columns > 1)
        fill(
          part,
          seedOf(seed, tensor),
          block === layout.embedding
            ? Number(process.env.EMB ?? 1)
            : Number(process.env.DEV ?? 1) / Math.sqrt(block.columns),
        );
      at += part.length;
    }
  }
  return all;
}

function fill(part: Float32Array, seed: number, deviation: number): void {
  part.set(seededNormals(seed, part.length).map((value) => value * deviation));
}
