// attention_queries.wgsl: the gradient of the queries of causal attention, weights made again from the log-sum-exp of each row.
//
// Some query rows of a KV head, of all heads of its group, walk along the keys that any of them sees. Of each row and key come its weight,
// p = exp(scale * q.k - lse), and the gradient of q.k, ds = p * (d_o.v - delta) * scale; the row's gradient is the sum of ds * k.
//
// in   q       [B * T, Hq, D] f32 as vec4s, turned by position
//      k, v    [B, Hkv, C, D] f32 as vec4s
//      lse     [B, Hq, T] f32, the logarithm of what a row's exp(scale * q.k) sum up to
//      delta   [B, Hq, T] f32 of attention_delta
//      d_o     [B * T, Hq, D] f32 as vec4s
//      numbers AttentionNumbers   lib attention_rows
// out  d_qkv   [B * T, Hq + 2 Hkv, D] f32 as vec4s, of which it writes the first Hq heads
// grid blocks of all KV heads of all sequences, folded; who owns what: lib attention_*
// consts HEAD_DIM GROUP_SIZE, and those of the libs
// libs attention_rows, one of attention_shared, attention_alone

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read> d_o: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> d_qkv: array<vec4<f32>>;
@group(0) @binding(7) var<uniform> numbers: AttentionNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = place_of(group.y * grid.x + group.x, lane);
  if !is_owned(place.first) {
    return;
  }
  let end = row_within(place.first + BLOCK - 1u) / GROUP_SIZE + 1u;
  run(place, 0u, end, lane);
}

fn owned_count() -> u32 {
  return query_rows();
}

fn is_owned(row: u32) -> bool {
  return row < query_rows();
}

fn pair_of(row: u32, key: u32) -> Pair {
  return Pair(row, key);
}

fn owned_start(place: Place, row: u32) -> u32 {
  return query_start(place, row);
}

fn owned_at(which: u32, at: u32) -> vec4<f32> {
  return query_at(which, at);
}

fn walked_start(place: Place, key: u32) -> u32 {
  return key_start(place, key);
}

fn walked_at(which: u32, at: u32) -> vec4<f32> {
  return key_at(which, at);
}

fn gradient_to(place: Place, row: u32, kind: u32) -> u32 {
  return gradient_start(place, row / GROUP_SIZE, place.kv_head * GROUP_SIZE + row % GROUP_SIZE);
}

// Which of an invocation's query rows a pair has.
fn row_of(owned: u32, walked: u32) -> u32 {
  return owned;
}
