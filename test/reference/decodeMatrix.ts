// decodeMatrix.ts: twin of shaders/attention/decode_matrix.wgsl: matrices change how the numbers come about, not what they are.
export { decodeTiles as decodeMatrix } from './decodeTiles.ts';
