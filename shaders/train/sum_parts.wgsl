// sum_parts.wgsl: the sum of several arrays, element by element, in their order.
//
// in   parts   [parts, count] f32 as vec4s
//      numbers SumPartsNumbers
// out  sum     [count] f32 as vec4s
// grid (count / 4 / WG_SIZE rounded up, folded into y, 1); an invocation owns four elements
// consts WG_SIZE

struct SumPartsNumbers {
  parts: u32,
  count: u32,
}

@group(0) @binding(0) var<storage, read> parts: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sum: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> numbers: SumPartsNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let fours = numbers.count / 4u;
  let i = (group.y * groups.x + group.x) * WG_SIZE + lane;
  if i >= fours {
    return;
  }
  var total = vec4<f32>();
  for (var part = 0u; part < numbers.parts; part++) { // bounded
    total += parts[part * fours + i];
  }
  sum[i] = total;
}
