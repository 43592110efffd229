// append_kv.wgsl: writes new K and V rows behind the ones a cache holds.
//
// in   k, v    [B, Hkv, N, D/4] vec4 f32   N = num_tokens new tokens for each sequence
//      step    AppendStep
// out  k_cache, v_cache [B, Hkv, capacity, D]   lib store_k_*, store_v_*
// grid (ceil(N * D4 / WG_SIZE), Hkv, B); an invocation owns four elements of one new K row and V row
// consts HEAD_DIM WG_SIZE
// libs one each of store_k_* store_v_*; pack_f16 where one of them is f16

struct AppendStep {
  num_tokens: u32,
  capacity: u32,
  kv_lens: array<u32>, // [B] tokens already in the cache
}

@group(0) @binding(0) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> step: AppendStep;

const D4 = HEAD_DIM / 4u;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = group.x * WG_SIZE + lane;
  let token = at / D4;
  let slot = step.kv_lens[group.z] + token;
  if token >= step.num_tokens || slot >= step.capacity {
    return;
  }
  let head = group.z * groups.y + group.y;
  let source = head * step.num_tokens * D4 + at;
  let target_vector = (head * step.capacity + slot) * D4 + at % D4;
  store_k(target_vector, k[source]);
  store_v(target_vector, v[source]);
}
