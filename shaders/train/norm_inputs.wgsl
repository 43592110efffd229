// norm_inputs.wgsl: the gradient of a norm's input: gradients times gains, less what of them would move the row's mean or its length.
//
// With n = (x - mean) * scale and g = d_y * gains: d_x = scale * (g - mean(g) - n * mean(g * n)); mean(g) only where the norm subtracts
// the mean.
//
// in   x       [rows, width] f32 as vec4s
//      gains   [width] f32 as vec4s
//      d_y     [rows, width] f32 as vec4s
//      stats   [rows] vec2 f32: mean and scale of each row, from norm_rows
//      numbers NormInputsNumbers
// out  d_x     [rows, width] f32 as vec4s; added to what is there where ADDS
// grid (rows / (WG_SIZE / LANES) rounded up, folded into y, 1); LANES invocations own a row
// consts CENTRED ADDS LANES WG_SIZE
// libs one of row_sums_*

struct NormInputsNumbers {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gains: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> stats: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> d_x: array<vec4<f32>>;
@group(0) @binding(5) var<uniform> numbers: NormInputsNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * groups.x + group.x) * (WG_SIZE / LANES) + lane / LANES;
  let first = row * (numbers.width / 4u);
  let end = first + select(0u, numbers.width / 4u, row < numbers.rows);
  let stat = stats[min(row, numbers.rows - 1u)];
  var sum = vec4<f32>();
  var products = vec4<f32>();
  for (var at = first + lane % LANES; at < end; at += LANES) { // bounded
    let four = d_y[at] * gains[at - first];
    sum += four;
    products += four * ((x[at] - stat.x) * stat.y);
  }
  let mine = vec2<f32>(dot(sum, vec4<f32>(1.0)), dot(products, vec4<f32>(1.0)));
  let means = row_sum(lane, mine) / f32(numbers.width);
  let shift = select(0.0, means.x, CENTRED);
  for (var at = first + lane % LANES; at < end; at += LANES) { // bounded
    let four = d_y[at] * gains[at - first] - shift - (x[at] - stat.x) * stat.y * means.y;
    var before = vec4<f32>();
    if ADDS {
      before = d_x[at];
    }
    d_x[at] = before + four * stat.y;
  }
}
