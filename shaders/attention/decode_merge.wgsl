// decode_merge.wgsl: combines the partial states of each query row into its output and log-sum-exp.
//
// The operator is associative and has a neutral element (l = 0), so splits may be merged in any grouping.
//
// in   states of each row                            lib states_*
// out  o     [rows, D/4] vec4 f32                    0 for a row with nothing to attend to
//      its lse                                    lib lse_*
// grid lib states_*; a workgroup owns a row; SETS times D/4 invocations own four elements of D each and share the states
// consts HEAD_DIM SETS
// libs numbers, one of states_*, one of lse_*

@group(0) @binding(2) var<storage, read_write> o: array<vec4<f32>>;

const D4 = HEAD_DIM / 4u;
const WG_SIZE = D4 * SETS;

// The states of one row.
struct States {
  row: u32,     // of the outputs
  wanted: bool, // false where the row has its output already
  count: u32,
  first: u32,   // index of the first state, and from each to the next
  stride: u32,
}

var<workgroup> lane_ml: array<vec2<f32>, WG_SIZE>;
var<workgroup> set_o: array<vec4<f32>, WG_SIZE>;

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
  // Alone with its four elements, an invocation merges all states itself: a barrier costs a CPU more than that.
  var total = merge_every(states, select(lane, 0u, SETS == 1u), select(WG_SIZE, 1u, SETS == 1u));
  if SETS > 1u {
    lane_ml[lane] = total;
    total = merge_lanes(lane, min(states.count, WG_SIZE));
  }
  let i = lane % D4;
  var sum = vec4<f32>();
  for (var s = lane / D4; s < states.count; s += SETS) {
    let ml = state_ml(states.first + s * states.stride);
    if ml.y == 0.0 {
      continue; // an empty state's o is never read: it may be anything
    }
    sum += state_o(states.first + s * states.stride, i) * exp(ml.x - total.x);
  }
  if SETS > 1u {
    set_o[lane] = sum;
    workgroupBarrier(); // sums of all sets are there
  }
  if lane < D4 {
    for (var other = 1u; other < SETS; other++) {
      sum += set_o[lane + other * D4];
    }
    o[states.row * D4 + i] = output_of(sum, total.x, total.y);
  }
  if lane == 0u {
    write_lse(states.row, lse_of(total.x, total.y));
  }
}

// m and l of every `step_by`-th state from `first` on.
fn merge_every(states: States, first: u32, step_by: u32) -> vec2<f32> {
  var merged = vec2<f32>(NEG_MAX, 0.0);
  for (var s = first; s < states.count; s += step_by) {
    merged = merge_ml(merged, state_ml(states.first + s * states.stride));
  }
  return merged;
}

// m and l of what the first `count` invocations merged, by halves: given to every invocation.
fn merge_lanes(lane: u32, count: u32) -> vec2<f32> {
  workgroupBarrier(); // m and l of all invocations are there
  for (var half = half_of(count); half > 0u; half /= 2u) {
    if lane < half && lane + half < count {
      lane_ml[lane] = merge_ml(lane_ml[lane], lane_ml[lane + half]);
    }
    workgroupBarrier(); // before the next half reads it
  }
  return lane_ml[0];
}

// The largest power of two below `count`, 0 for one.
fn half_of(count: u32) -> u32 {
  return (1u << (32u - countLeadingZeros(count - 1u))) / 2u;
}

fn merge_ml(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  if b.y == 0.0 {
    return a;
  }
  let m = max(a.x, b.x);
  return vec2<f32>(m, a.y * exp(a.x - m) + b.y * exp(b.x - m));
}
