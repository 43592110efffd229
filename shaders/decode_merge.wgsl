// decode_merge.wgsl: combines the partial states of each query row into its output and log-sum-exp.
//
// The operator is associative and has a neutral element (l = 0), so splits may be merged in any grouping.
//
// in   states of each row                            lib states_*
// out  o     [rows, D/4] vec4 f32                    0 for a row with nothing to attend to
//      lse   [rows]      f32                         natural; LSE_EMPTY for such a row
// grid (rows, 1, 1); an invocation owns four elements of D
// consts HEAD_DIM
// libs numbers, one of states_*

@group(0) @binding(2) var<storage, read_write> o: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;

const D4 = HEAD_DIM / 4u;

@compute @workgroup_size(D4)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) i: u32,
) {
  let row = group.x + group.y * groups.x;
  let count = num_states();
  var m = NEG_MAX;
  for (var s = 0u; s < count; s++) {
    let state = state_ml(row, s);
    if state.y > 0.0 {
      m = max(m, state.x);
    }
  }
  var l = 0.0;
  var sum = vec4<f32>();
  for (var s = 0u; s < count; s++) {
    let state = state_ml(row, s);
    if state.y > 0.0 { // an empty state's o is never read: it may be anything
      let shrink = exp(state.x - m);
      l += state.y * shrink;
      sum += state_o(row, s, i) * shrink;
    }
  }
  o[row * D4 + i] = select(vec4<f32>(), sum / l, l > 0.0);
  if i == 0u {
    lse[row] = lse_of(m, l);
  }
}
