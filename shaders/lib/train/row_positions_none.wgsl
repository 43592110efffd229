// lib row_positions_none: for a model that has no table of positions.

fn position_four(at: u32) -> vec4<f32> {
  return vec4<f32>();
}
