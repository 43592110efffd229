// lib store_k_f16: writes to a K cache of f16 elements, two to a u32 word.
// `index` counts groups of four elements from the cache's start.
// libs pack_f16

@group(0) @binding(3) var<storage, read_write> k_cache: array<vec2<u32>>;

fn store_k(index: u32, x: vec4<f32>) {
  k_cache[index] = pack_f16(x);
}
