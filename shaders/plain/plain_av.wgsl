// plain_av.wgsl: step 3 of plain attention: o[b, i, h] = sum over t of weight[b, i, h, t] * v[b, h / GROUP_SIZE, t]
//
// in   weights [B, Lq, Hq, capacity] f32     from plain_softmax
//      v_cache [B, Hkv, capacity, Dv]        words of 16 bytes, lib elements_* as v_*
//      step    Step                          lib step
// out  o       rows of Dv                    lib output_*, where lib step says; 0 for a row with nothing to attend to
// grid (Hq, Lq, B), Lq the most query positions of a sequence; a workgroup owns a row, an invocation four elements of Dv
// consts V_DIM GROUP_SIZE CAUSAL MASKED
// libs output_* step numbers scores one of rows_*, one of heads_*, elements_* as v_*

@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> v_cache: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> step: Step;

const D4 = V_DIM / 4u;

@compute @workgroup_size(D4)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) i: u32,
) {
  let sequence = sequence_of(group.z);
  if group.y >= sequence.q_len {
    return;
  }
  let row = (group.z * groups.y + group.y) * groups.x + group.x; // of all query rows [B, Lq, Hq]
  let flat_head = (group.z * groups.x + group.x) / GROUP_SIZE;   // of all KV heads [B, Hkv]
  if !is_here(flat_head) {
    return;
  }
  let kv_head = head_here(flat_head);
  let query = QueryRow(sequence.kv_len, group.z, group.x, group.y, sequence.q_len - 1u - group.y);
  var sum = vec4<f32>();
  for (var t = 0u; t < query.kv_len; t++) { // bounded
    if !sees(query, t) {
      continue;
    }
    let place = kv_row(kv_head, t) * V_ROW_WORDS + i / V_WORD_VEC4S;
    let word = v_cache[place];
    let scale = v_word_scale(step.v_scales, place) *
      v_row_scale(step.v_scales, kv_scale_row(kv_head, t));
    sum += weights[row * step.capacity + t] * scale * v_unpack(word, i % V_WORD_VEC4S);
  }
  write_output(output_place(sequence.o_start, group.x, group.y) + i, sum);
}
