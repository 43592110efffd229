// lib row_positions_learned: a learned row for each position, [positions, width] f32 as vec4s.

@group(0) @binding(4) var<storage, read> positions: array<vec4<f32>>;

fn position_four(at: u32) -> vec4<f32> {
  return positions[at];
}
