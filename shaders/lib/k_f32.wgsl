// lib k_f32: loads from a K cache of f32 elements. `index` counts vec4s from the cache's start.

@group(0) @binding(1) var<storage, read> k_cache: array<vec4<f32>>;

fn load_k(index: u32) -> vec4<f32> {
  return k_cache[index];
}
