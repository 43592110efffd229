// activate_back.wgsl: the gradients of what activate read: by the activation's derivative, and where there is a gate, by the activation
// for what it is multiplied by.
//
// in   gate_up   [rows, width] f32 as vec4s; where GATED [rows, 2 width]: a row's gates, then what they are for
//      d_y       [rows, width] f32 as vec4s
//      numbers   ActivateBackNumbers
// out  d_gate_up as gate_up
// grid (width / 4 / WG_SIZE rounded up, rows, folded into z); an invocation owns four columns of a row
// consts GATED WG_SIZE
// libs one of slope_*, one of act_*

struct ActivateBackNumbers {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> gate_up: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> d_gate_up: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> numbers: ActivateBackNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let fours = numbers.width / 4u;
  let row = id.z * groups.y + id.y;
  if id.x >= fours || row >= numbers.rows {
    return;
  }
  let gate = row * select(fours, 2u * fours, GATED) + id.x;
  let x = gate_up[gate];
  var four = d_y[row * fours + id.x];
  if GATED {
    d_gate_up[gate + fours] = four * vec4<f32>(act(x.x), act(x.y), act(x.z), act(x.w));
    four *= gate_up[gate + fours];
  }
  d_gate_up[gate] = four * vec4<f32>(slope(x.x), slope(x.y), slope(x.z), slope(x.w));
}
