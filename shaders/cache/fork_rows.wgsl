// fork_rows.wgsl: copies rows of each head to others of the same layer, a sequence's or a page's, with their scales, as they are stored.
//
// in   step    ForkStep
// i/o  k_cache, v_cache [B, Hkv, capacity, D] u32, then the scales
//      status  [7] u32   first: how many forks and appends were executed
// grid (any, Hkv, 4): z is a span; the invocations of a head take its words in turn
// consts WG_SIZE
// out  see i/o
// libs one of sources_*

struct ForkStep {
  // [4] rows of K, scales of K, rows of V, scales of V: first word of the first head to copy, the same of the head that it
  // goes to, words from one head to the next, words to copy of each
  spans: array<vec4<u32>>,
}

@group(0) @binding(0) var<storage, read> step: ForkStep;
@group(0) @binding(1) var<storage, read_write> k_cache: array<u32>;
@group(0) @binding(2) var<storage, read_write> v_cache: array<u32>;
@group(0) @binding(3) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  if lane == 0u && all(group == vec3<u32>()) {
    atomicAdd(&status[0], 1u);
  }
  let span = step.spans[group.z];
  let head = group.y * span.z;
  for (var i = group.x * WG_SIZE + lane; i < span.w; i += groups.x * WG_SIZE) { // bounded
    if group.z < 2u {
      k_cache[span.y + head + i] = k_word(span.x + head + i);
    } else {
      v_cache[span.y + head + i] = v_word(span.x + head + i);
    }
  }
}
