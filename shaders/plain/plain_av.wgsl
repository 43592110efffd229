// plain_av.wgsl: step 3 of plain attention: o[b, h] = sum over t of weight[b, h, t] * v[b, h / GROUP_SIZE, t]
//
// in   weights [B, Hq, Q_LEN, capacity] f32  from plain_softmax
//      v_cache [B, Hkv, capacity, Dv]        words of 16 bytes, lib elements_* as v_*
//      step    Step                          lib step
// out  o       [B, Hq, Q_LEN, Dv/4] vec4 f32 0 for a row with nothing to attend to
// grid (Hq * Q_LEN, B, 1); a workgroup owns a row, an invocation four elements of Dv
// consts V_DIM GROUP_SIZE Q_LEN CAUSAL
// libs step numbers scores one of rows_*, elements_* as v_*

@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> v_cache: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> step: Step;
@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>;

const D4 = V_DIM / 4u;

@compute @workgroup_size(D4)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) i: u32,
) {
  let row = group.y * groups.x + group.x;        // of all query rows [B, Hq, Q_LEN]
  let kv_head = row / Q_LEN / GROUP_SIZE;        // of all KV heads [B, Hkv]
  let position = row % Q_LEN;
  let query = QueryRow(kv_len_of(group.y), group.y, group.x / Q_LEN, position, Q_LEN - 1u - position);
  var sum = vec4<f32>();
  for (var t = 0u; t < query.kv_len; t++) {
    if !sees(query, t) {
      continue;
    }
    let place = kv_row(kv_head, t) * V_ROW_WORDS + i / V_WORD_VEC4S;
    let word = v_cache[place];
    let scale = v_word_scale(step.v_scales, place) *
      v_row_scale(step.v_scales, kv_scale_row(kv_head, t));
    sum += weights[row * step.capacity + t] * scale * v_unpack(word, i % V_WORD_VEC4S);
  }
  o[row * D4 + i] = sum;
}
