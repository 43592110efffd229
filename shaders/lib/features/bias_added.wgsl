// lib bias_added: a bias is added to each score; one at or below LSE_EMPTY, minus infinity too, hides the key.
//
// in   bias [B, Hq, Lq, T] f32   any but the last of size 1 for all; strides in head_numbers
// libs scores numbers head_numbers

@group(0) @binding(7) var<storage, read> bias: array<f32>;

const BIAS_HIDES = true;
const LOWEST_BITS = 0xff800000u; // minus infinity, as bits: a compiler may assume that there is none

fn bias_of(row: QueryRow, key: u32) -> f32 {
  let places = head_numbers.bias_strides * vec4<u32>(row.sequence, row.head, row.position, key);
  return bias[places.x + places.y + places.z + places.w];
}

fn with_bias(score: f32, row: QueryRow, key: u32) -> f32 {
  return score + bias_of(row, key);
}

fn bias_shows(row: QueryRow, key: u32) -> bool {
  let bits = bitcast<u32>(bias_of(row, key));
  return bits < bitcast<u32>(LSE_EMPTY) || bits > LOWEST_BITS;
}
