// activate.wgsl: the activation of each element, or of a gate, times the element that belongs to it.
//
// in   gate_up [rows, width] f32 as vec4s; where GATED [rows, 2 width]: a row's gates, then what they are for
//      numbers ActivateNumbers
// out  y       [rows, width] f32 as vec4s
// grid (width / 4 / WG_SIZE rounded up, rows, folded into z); an invocation owns four columns of a row
// consts GATED WG_SIZE
// libs one of act_*

struct ActivateNumbers {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> gate_up: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> numbers: ActivateNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let fours = numbers.width / 4u;
  let row = id.z * groups.y + id.y;
  if id.x >= fours || row >= numbers.rows {
    return;
  }
  let gate = row * select(fours, 2u * fours, GATED) + id.x;
  let x = gate_up[gate];
  var four = vec4<f32>(act(x.x), act(x.y), act(x.z), act(x.w));
  if GATED {
    four *= gate_up[gate + fours];
  }
  y[row * fours + id.x] = four;
}
