// matmulStaged.ts: twin of shaders/train/matmul_staged.wgsl: what matmul_direct computes, in other tiles.
export { matmulDirect as matmulStaged } from './matmulDirect.ts';
