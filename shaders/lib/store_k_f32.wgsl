// lib store_k_f32: writes to a K cache of f32 elements. `index` counts vec4s from the cache's start.

@group(0) @binding(3) var<storage, read_write> k_cache: array<vec4<f32>>;

fn store_k(index: u32, x: vec4<f32>) {
  k_cache[index] = x;
}
