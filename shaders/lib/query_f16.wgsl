// lib query_f16: queries are f16, two to a word: no feature is needed.
//
// in   q  rows of D/4 vec2 u32, where lib step says

@group(0) @binding(0) var<storage, read> q: array<vec2<u32>>;

fn query_vec4(at: u32) -> vec4<f32> {
  let bits = q[at];
  return vec4<f32>(unpack2x16float(bits.x), unpack2x16float(bits.y));
}
