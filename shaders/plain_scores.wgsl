// plain_scores.wgsl: step 1 of plain attention: scores[b, h, t] = scale * q[b, h] . k[b, h / GROUP_SIZE, t]
//
// The plain path does what the formula says, one step per shader, and stays as the yardstick for the fused kernel.
// Grouped-query attention is the division: query heads h of one group share the KV head h / GROUP_SIZE.
//
// in   q       [B, Hq, Q_LEN, D/4] vec4 f32
//      k_cache [B, Hkv, capacity, D]         lib k_*
//      step    Step                          lib step
// out  scores  [B, Hq, Q_LEN, capacity] f32  NEG_MAX where the query may not see the key
// grid (ceil(longest kv_len / WG_SIZE), Hq * Q_LEN, B); an invocation owns one score
// consts HEAD_DIM GROUP_SIZE Q_LEN CAUSAL WG_SIZE
// libs step numbers, one of k_*

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> step: Step;
@group(0) @binding(4) var<storage, read_write> scores: array<f32>;

const D4 = HEAD_DIM / 4u;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let t = group.x * WG_SIZE + lane;
  let kv_len = step.kv_lens[group.z];
  if t >= kv_len {
    return;
  }
  let row = group.z * groups.y + group.y;        // of all query rows [B, Hq, Q_LEN]
  let kv_head = row / Q_LEN / GROUP_SIZE;        // of all KV heads [B, Hkv]
  var score = 0.0;
  let count = opaque_count(D4);
  for (var i = 0u; i < count; i++) {
    score += dot(q[row * D4 + i], load_k((kv_head * step.capacity + t) * D4 + i));
  }
  let sees = t < visible_keys(kv_len, row);
  scores[row * step.capacity + t] = select(NEG_MAX, score * step.sm_scale, sees);
}
