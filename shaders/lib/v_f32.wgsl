// lib v_f32: loads from a V cache of f32 elements. `index` counts vec4s from the cache's start.

@group(0) @binding(2) var<storage, read> v_cache: array<vec4<f32>>;

fn load_v(index: u32) -> vec4<f32> {
  return v_cache[index];
}
