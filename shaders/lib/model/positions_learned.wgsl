// lib positions_learned: a row for each position, added. position_rows: [positions, X4] f32 as vec4s

@group(0) @binding(5) var<storage, read> position_rows: array<vec4<f32>>;

fn position_four(position: u32, i: u32) -> vec4<f32> {
  return position_rows[position * X4 + i];
}
