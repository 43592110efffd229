// plain_scores.wgsl: step 1 of plain attention: scores[b, i, h, t] = scale * q[b, i, h] . k[b, h / GROUP_SIZE, t]
//
// The plain path does what the formula says, one step per shader, and stays as the yardstick for the fused kernel.
// Grouped-query attention is the division: query heads h of one group share the KV head h / GROUP_SIZE.
//
// in   q       rows of D                     lib query_*, where lib step says
//      k_cache [B, Hkv, capacity, D]         words of 16 bytes, lib elements_* as k_*
//      step    Step                          lib step
// out  scores  [B, Lq, Hq, capacity] f32     NEG_MAX where the query may not see the key, BAD_SCORE past f32
// grid (ceil(longest kv_len / WG_SIZE), Lq * Hq, B), Lq the most query positions of a sequence; an invocation owns one score
// consts HEAD_DIM GROUP_SIZE CAUSAL MASKED WG_SIZE
// libs query_* step numbers scores one of rows_*, one of heads_*, elements_* as k_*

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
  let sequence = sequence_of(group.z);
  let position = group.y / step.num_q_heads;
  if t >= sequence.kv_len || position >= sequence.q_len {
    return;
  }
  let head = group.y % step.num_q_heads;
  let query = query_place(sequence.q_start, head, position);
  let flat_head = (group.z * step.num_q_heads + head) / GROUP_SIZE; // of all KV heads [B, Hkv]
  if !is_here(flat_head) {
    return;
  }
  let kv_head = head_here(flat_head);
  let key = kv_row(kv_head, t);
  var score = 0.0;
  let words = opaque_count(K_ROW_WORDS);
  for (var w = 0u; w < words; w++) { // bounded
    let word = k_cache[key * K_ROW_WORDS + w];
    let scale = k_word_scale(step.k_scales, key * K_ROW_WORDS + w);
    for (var i = 0u; i < K_WORD_VEC4S; i++) { // unroll
      let d4 = w * K_WORD_VEC4S + i;
      if d4 < D4 {
        score += dot(query_vec4(query + d4), k_unpack(word, i) * scale) * step.sm_scale;
      }
    }
  }
  score *= k_row_scale(step.k_scales, kv_scale_row(kv_head, t));
  let row = QueryRow(sequence.kv_len, group.z, head, position, sequence.q_len - 1u - position);
  let place = (group.z * groups.y + group.y) * step.capacity + t;
  scores[place] = finish_score(score, row, t, sees(row, t));
}
