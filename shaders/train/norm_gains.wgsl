// norm_gains.wgsl: the gradients of a norm's gains: of each column the sum, over some of the rows, of gradient times normalised input.
//
// in   x       [rows, width] f32 as vec4s
//      d_y     [rows, width] f32 as vec4s
//      stats   [rows] vec2 f32: mean and scale of each row, from norm_rows
//      numbers NormGainsNumbers
// out  d_gains [parts, width] f32 as vec4s: sums over the rows of each part, in their order
// grid (width / 4 / WG_SIZE rounded up, parts, 1); an invocation owns four columns of a part
// consts WG_SIZE

struct NormGainsNumbers {
  rows: u32,
  width: u32,
  parts: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> stats: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> d_gains: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> numbers: NormGainsNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let fours = numbers.width / 4u;
  if id.x >= fours {
    return;
  }
  let share = (numbers.rows + numbers.parts - 1u) / numbers.parts;
  let end = min((id.y + 1u) * share, numbers.rows);
  var sum = vec4<f32>();
  for (var row = id.y * share; row < end; row++) { // bounded
    let stat = stats[row];
    sum += d_y[row * fours + id.x] * ((x[row * fours + id.x] - stat.x) * stat.y);
  }
  d_gains[id.y * fours + id.x] = sum;
}
