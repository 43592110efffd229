// plain_mix.wgsl: step 3 of plain attention: o[b, h] = sum over t of weight[b, h, t] * v[b, h / GROUP_SIZE, t]
//
// in   weights [B, Hq, Q_LEN, CAPACITY] f32  from plain_softmax
//      v_cache [B, Hkv, CAPACITY, D]         lib v_*
//      step    Step                          lib step
// out  o       [B, Hq, Q_LEN, D/4] vec4 f32  0 for a row with nothing to attend to
// grid (Hq * Q_LEN, B, 1); a workgroup owns a row, an invocation four elements of D
// consts HEAD_DIM NUM_Q_HEADS NUM_KV_HEADS Q_LEN CAUSAL CAPACITY
// libs step, one of v_*

@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> step: Step;
@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>;

const D4 = HEAD_DIM / 4u;
const GROUP_SIZE = NUM_Q_HEADS / NUM_KV_HEADS;

@compute @workgroup_size(D4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) i: u32) {
  let b = group.y;
  let h = group.x / Q_LEN;
  let row = b * NUM_Q_HEADS * Q_LEN + group.x;
  let kv_head = b * NUM_KV_HEADS + h / GROUP_SIZE;
  let visible = visible_keys(step.kv_lens[b], group.x % Q_LEN);
  var sum = vec4<f32>();
  for (var t = 0u; t < visible; t++) {
    sum += weights[row * CAPACITY + t] * load_v((kv_head * CAPACITY + t) * D4 + i);
  }
  o[row * D4 + i] = sum;
}
