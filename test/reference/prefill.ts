// prefill.ts: twin of shaders/attention/prefill.wgsl: items as decodeTiles.ts has them; only how they are computed differs.
export { decodeTiles as prefill } from './decodeTiles.ts';
