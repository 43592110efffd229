// cross_entropy.wgsl: logits become the gradient of their loss, in place: the cross-entropy with a wanted token, or the divergence from a teacher.
//
// Three passes over a row: its maximum; exp(logit - maximum), which takes the logit's place, and sums; the gradient, which takes its place.
//
// in   numbers CrossEntropyNumbers
//      targets or teacher   lib goal_*
// i/o  logits  [rows, stride] f32 as vec4s: (softmax - goal) * scale, where the goal is 1 for the wanted token, or the teacher's softmax;
//              0 from column `vocab` on, and in all of a row without a goal; NaN where a logit of the row is not finite
// out  losses  [rows] f32, natural logarithm, not scaled; 0 without a goal, NaN where a logit is not finite
// grid (workgroups of lib softmax_row_*, folded into x and y, 1)
// consts WG_SIZE
// libs one of softmax_row_*, one of goal_*, numbers

struct CrossEntropyNumbers {
  rows: u32,
  vocab: u32,
  stride: u32, // elements from a row to the next
  scale: f32,
}

@group(0) @binding(0) var<storage, read_write> logits: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> losses: array<f32>;
@group(0) @binding(2) var<uniform> numbers: CrossEntropyNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) invocation: u32,
) {
  let row = row_of(group.y * groups.x + group.x, invocation);
  if row >= numbers.rows {
    return;
  }
  let fours = numbers.stride / 4u;
  let first = row * fours;
  let goal = goal_of(row, first);
  let lane = row_lane(invocation);
  var most = vec2<f32>(NEG_MAX);
  for (var i = lane; i < fours; i += ROW_LANES) { // bounded
    most = max(most, vec2<f32>(greatest(logits[first + i], i), goal_greatest(goal, i)));
  }
  most = joined_max(lane, most);
  var sums = vec3<f32>();
  for (var i = lane; i < fours; i += ROW_LANES) { // bounded
    let distances = logits[first + i] - most.x;
    let weights = select(vec4<f32>(), exp(distances), shown(i));
    sums += vec3<f32>(total(weights), goal_sums(goal, i, distances, most.y));
    logits[first + i] = weights;
  }
  sums = joined_sum(lane, sums);
  let counted = counts(goal);
  let bad = most.x == BAD_SCORE || most.y == BAD_SCORE;
  let inverse = numbers.scale / sums.x;
  for (var i = lane; i < fours; i += ROW_LANES) { // bounded
    let gradient = logits[first + i] * inverse - goal_four(goal, i, most.y, sums.y) * numbers.scale;
    let kept = select(bitcast<vec4<u32>>(gradient), vec4<u32>(NAN_BITS), bad);
    logits[first + i] = bitcast<vec4<f32>>(select(vec4<u32>(), kept, shown(i) & vec4<bool>(counted)));
  }
  if lane == 0u {
    let kept = select(bitcast<u32>(loss_of(sums)), NAN_BITS, bad);
    losses[row] = bitcast<f32>(select(0u, kept, counted));
  }
}

// Columns of a row's vec4 that are tokens.
fn shown(i: u32) -> vec4<bool> {
  return columns_of(i) < vec4<u32>(numbers.vocab);
}

fn columns_of(i: u32) -> vec4<u32> {
  return 4u * i + vec4<u32>(0u, 1u, 2u, 3u);
}

// BAD_SCORE where one of the tokens' is not finite.
fn greatest(four: vec4<f32>, i: u32) -> f32 {
  let visible = shown(i);
  return max(
    max(kept_score(four.x, visible.x), kept_score(four.y, visible.y)),
    max(kept_score(four.z, visible.z), kept_score(four.w, visible.w)),
  );
}

fn total(four: vec4<f32>) -> f32 {
  return (four.x + four.y) + (four.z + four.w);
}
