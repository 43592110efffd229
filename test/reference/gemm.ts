// gemm.ts: twin of shaders/model/gemm.wgsl: what a product computes, in other tiles.
export { product as gemm } from './product.ts';
