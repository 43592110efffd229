// square_sums.wgsl: sums of squares of gradients, in parts, for the norm of all of them.
//
// in   gradients [count] f32 as vec4s; what is behind `count` in the last one does not count
//      numbers   SquareSumsNumbers
// out  sums      [parts] f32: a part has a contiguous share; NaN where a gradient is not finite
// grid (parts, 1, 1); a workgroup owns a part
// consts WG_SIZE
// libs finite_sums

struct SquareSumsNumbers {
  count: u32,
  parts: u32,
}

@group(0) @binding(0) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> numbers: SquareSumsNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let fours = (numbers.count + 3u) / 4u;
  let share = (fours + numbers.parts - 1u) / numbers.parts;
  let end = min((group.x + 1u) * share, fours);
  var squares = vec4<f32>();
  var bits = 0u;
  for (var i = group.x * share + lane; i < end; i += WG_SIZE) { // bounded
    let counted = 4u * i + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(numbers.count);
    let four = select(vec4<f32>(), gradients[i], counted);
    squares += four * four;
    bits = max(bits, magnitudes_bits(four));
  }
  let sum = finite_sum(lane, (squares.x + squares.y) + (squares.z + squares.w), bits);
  if lane == 0u {
    sums[group.x] = sum;
  }
}
