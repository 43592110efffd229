// turn_back.wgsl: gradients of rows that RoPE turned, to those of the rows before: each pair turned the other way, and made as much longer
// as the turn made it (the transpose of a turn, not its inverse).
//
// in   turns   [ROPE_LOW, P] then [., P] vec2 f32, P = ROTARY_DIM / 2   lib turn_of
//      numbers TurnBackNumbers
// i/o  d_qkv   [rows, stride] f32: the first ROTARY_DIM elements of each of a row's first heads; row m is of position m % length
// out  see i/o
// grid (P / PAIRS rounded up, rows / ROWS rounded up, folded into z); an invocation owns a pair of every head of a row
// consts HEAD_DIM ROTARY_DIM ROPE_LOW PAIRS ROWS
// libs turn_of, one of pairs_*

struct TurnBackNumbers {
  rows: u32,
  length: u32,
  heads: u32,
  stride: u32,
}

@group(0) @binding(0) var<storage, read_write> d_qkv: array<f32>;
@group(0) @binding(1) var<storage, read> turns: array<vec2<f32>>;
@group(0) @binding(2) var<uniform> numbers: TurnBackNumbers;

@compute @workgroup_size(PAIRS, ROWS)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let row = id.z * groups.y * ROWS + id.y;
  if id.x >= ROTARY_DIM / 2u || row >= numbers.rows {
    return;
  }
  let turn = turn_of(row % numbers.length, id.x);
  let first = row * numbers.stride + first_of(id.x);
  let second = row * numbers.stride + partner_of(first_of(id.x));
  for (var at = 0u; at < numbers.heads * HEAD_DIM; at += HEAD_DIM) { // bounded
    let x = d_qkv[first + at];
    let y = d_qkv[second + at];
    d_qkv[first + at] = x * turn.x + y * turn.y;
    d_qkv[second + at] = y * turn.x - x * turn.y;
  }
}
