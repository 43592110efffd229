// attention_delta.wgsl: delta[b, h, t] = o . d_o, what the gradient of each score of a row is reduced by.
//
// in   o       [B * T, Hq, D] f32 as vec4s, of the forward pass
//      d_o     [B * T, Hq, D] f32 as vec4s, its gradient
//      numbers DeltaNumbers
// out  delta   [B, Hq, T] f32
// grid so many workgroups of WG_SIZE invocations, folded; an invocation owns a row of o
// consts WG_SIZE

struct DeltaNumbers {
  rows: u32,   // B * T * Hq
  length: u32,
  heads: u32,  // Hq
  fours: u32,  // D / 4
}

@group(0) @binding(0) var<storage, read> o: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> d_o: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> delta: array<f32>;
@group(0) @binding(3) var<uniform> numbers: DeltaNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y * grid.x + group.x) * WG_SIZE + lane;
  if row >= numbers.rows {
    return;
  }
  var sum = 0.0;
  for (var i = 0u; i < numbers.fours; i++) { // bounded
    sum += dot(o[row * numbers.fours + i], d_o[row * numbers.fours + i]);
  }
  let token = row / numbers.heads;
  let head = token / numbers.length * numbers.heads + row % numbers.heads;
  delta[head * numbers.length + token % numbers.length] = sum;
}
