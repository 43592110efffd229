// lib pack_f16: four f32 as four f16 in two words. Values past the largest finite half saturate to it: their packing
// would be indeterminate in WGSL.

const F16_MAX = vec4<f32>(65504f);

fn pack_f16(x: vec4<f32>) -> vec2<u32> {
  let finite = clamp(x, -F16_MAX, F16_MAX);
  return vec2<u32>(pack2x16float(finite.xy), pack2x16float(finite.zw));
}
