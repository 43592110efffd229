// plain_scores.wgsl: step 1 of plain attention: scores[b, h, t] = scale * q[b, h] . k[b, h / GROUP_SIZE, t]
//
// The plain path does what the formula says, one step per shader, and stays as the yardstick for the fused kernel.
// Grouped-query attention is the division: query heads h of one group share the KV head h / GROUP_SIZE.
//
// in   q       [B, Hq, Q_LEN, D/4] vec4 f32
//      k_cache [B, Hkv, capacity, D]         words of 16 bytes, lib elements_* as k_*
//      step    Step                          lib step
// out  scores  [B, Hq, Q_LEN, capacity] f32  NEG_MAX where the query may not see the key, BAD_SCORE past f32
// grid (ceil(longest kv_len / WG_SIZE), Hq * Q_LEN, B); an invocation owns one score
// consts HEAD_DIM GROUP_SIZE Q_LEN CAUSAL WG_SIZE
// libs step numbers scores one of rows_*, elements_* as k_*

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k_cache: array<vec4<u32>>;
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
  let kv_len = kv_len_of(group.z);
  if t >= kv_len {
    return;
  }
  let row = group.z * groups.y + group.y;        // of all query rows [B, Hq, Q_LEN]
  let kv_head = row / Q_LEN / GROUP_SIZE;        // of all KV heads [B, Hkv]
  let key = kv_row(kv_head, t);
  var score = 0.0;
  let words = opaque_count(K_ROW_WORDS);
  for (var w = 0u; w < words; w++) {
    let word = k_cache[key * K_ROW_WORDS + w];
    let scale = k_word_scale(step.k_scales, key * K_ROW_WORDS + w);
    for (var i = 0u; i < K_WORD_VEC4S; i++) { // unroll
      let d4 = w * K_WORD_VEC4S + i;
      if d4 < D4 {
        score += dot(q[row * D4 + d4], k_unpack(word, i) * scale) * step.sm_scale;
      }
    }
  }
  score *= k_row_scale(step.k_scales, kv_scale_row(kv_head, t));
  let position = row % Q_LEN;
  let query = QueryRow(kv_len, group.z, group.y / Q_LEN, position, Q_LEN - 1u - position);
  scores[row * step.capacity + t] = finish_score(score, query, t, sees(query, t));
}
