// lib query_f32: queries are f32.
//
// in   q  rows of D/4 vec4 f32, where lib step says

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;

fn query_vec4(at: u32) -> vec4<f32> {
  return q[at];
}
