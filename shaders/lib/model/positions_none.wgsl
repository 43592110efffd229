// lib positions_none: embeddings without positions.

fn position_four(position: u32, i: u32) -> vec4<f32> {
  return vec4<f32>();
}
