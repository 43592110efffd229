// lib store_v_f32: writes to a V cache of f32 elements. `index` counts vec4s from the cache's start.

@group(0) @binding(4) var<storage, read_write> v_cache: array<vec4<f32>>;

fn store_v(index: u32, x: vec4<f32>) {
  v_cache[index] = x;
}
