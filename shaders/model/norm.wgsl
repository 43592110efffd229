// norm.wgsl: rows normalised by the root of their mean square, times gains: behind a product, where a product cannot take the norm in front.
//
// in   x       [rows, X4] f32 as vec4s, what is past a row's end zeros
//      gains   [X4] f32 as vec4s
//      numbers NormNumbers
// i/o  y       [rows, X4] f32 as vec4s   lib write_four_*
// grid (rows, 1, 1); a workgroup owns a row
// consts X4 WG_SIZE ROWS (1)
// out  see i/o
// libs sums_of_rows_joined, one of write_four_*

struct NormNumbers {
  width: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gains: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> numbers: NormNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  var sum = 0.0;
  for (var i = lane; i < X4; i += WG_SIZE) { // bounded
    let four = x[group.x * X4 + i];
    sum += dot(four, four);
  }
  keep_sum(0u, lane, sum);
  join_sums(lane);
  let scale = inverseSqrt(sum_of_row(0u) / f32(numbers.width) + numbers.eps);
  for (var i = lane; i < X4; i += WG_SIZE) { // bounded
    write_four(group.x * X4 + i, x[group.x * X4 + i] * scale * gains[i]);
  }
}
