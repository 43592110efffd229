// norm_rows.wgsl: rows normalised by the root of their mean square, or by their mean and deviation, times gains; and what they were
// normalised by, for the backward pass.
//
// in   x       [rows, width] f32 as vec4s
//      gains   [width] f32 as vec4s
//      numbers NormRowsNumbers
// out  y       [rows, width] f32 as vec4s, plus a bias   lib norm_bias_*
//      stats   [rows] vec2 f32: the mean (0 where it is not subtracted), and one over the deviation or root
// grid (rows / (WG_SIZE / LANES) rounded up, folded into y, 1); LANES invocations own a row
// consts CENTRED (whether the mean is subtracted) LANES WG_SIZE
// libs one of row_sums_*, one of norm_bias_*

struct NormRowsNumbers {
  rows: u32,
  width: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gains: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(4) var<uniform> numbers: NormRowsNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * groups.x + group.x) * (WG_SIZE / LANES) + lane / LANES;
  let there = row < numbers.rows;
  let first = row * (numbers.width / 4u);
  let end = first + select(0u, numbers.width / 4u, there);
  var mean = 0.0;
  if CENTRED {
    var sum = vec4<f32>();
    for (var at = first + lane % LANES; at < end; at += LANES) { // bounded
      sum += x[at];
    }
    mean = row_sum(lane, vec2<f32>(dot(sum, vec4<f32>(1.0)), 0.0)).x / f32(numbers.width);
  }
  var squares = vec4<f32>();
  for (var at = first + lane % LANES; at < end; at += LANES) { // bounded
    let four = x[at] - mean;
    squares += four * four;
  }
  let sum_of_squares = row_sum(lane, vec2<f32>(dot(squares, vec4<f32>(1.0)), 0.0)).x;
  let scale = inverseSqrt(sum_of_squares / f32(numbers.width) + numbers.eps);
  for (var at = first + lane % LANES; at < end; at += LANES) { // bounded
    y[at] = with_bias((x[at] - mean) * scale * gains[at - first], at - first);
  }
  if there && lane % LANES == 0u {
    stats[row] = vec2<f32>(mean, scale);
  }
}
