// decode_merge.wgsl: combines the partial states of each query row into its output and log-sum-exp.
//
// The operator is associative and has a neutral element (l = 0), so splits may be merged in any grouping.
//
// in   states of each row                            lib states_*
// out  o     lib output_*                            0 for a row with nothing to attend to
//      its lse                                    lib lse_*
// grid lib states_*; a workgroup owns a row; its first Dv/4 invocations own four elements of Dv each
// consts V_DIM
// libs numbers, one of states_*, one of merge_*, one of output_*, one of lse_*, one of sinks_*

const D4 = V_DIM / 4u;

// The states of one row.
struct States {
  o: u32,       // where the row lies in o and lse
  lse: u32,
  head: u32,    // query head, within its sequence
  wanted: bool, // false where the row has its output already
  count: u32,
  first: u32,   // index of the first state, and from each to the next
  stride: u32,
}

// What they come to: m, l and an invocation's four elements of o, not yet divided by l.
struct Merged {
  m: f32,
  l: f32,
  o: vec4<f32>,
}

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let states = states_of(group, groups);
  if !states.wanted {
    return;
  }
  let merged = merge_states(states, lane);
  let sunk = with_sink(merged.m, merged.l, states.head);
  if lane < D4 {
    write_output(states.o + lane, output_of(merged.o * sunk.z, sunk.x, sunk.y));
  }
  if lane == 0u {
    write_lse(states.lse, lse_of(sunk.x, sunk.y));
  }
}
