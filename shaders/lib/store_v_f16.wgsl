// lib store_v_f16: writes to a V cache of f16 elements, two to a u32 word.
// `index` counts groups of four elements from the cache's start.
// libs pack_f16

@group(0) @binding(4) var<storage, read_write> v_cache: array<vec2<u32>>;

fn store_v(index: u32, x: vec4<f32>) {
  v_cache[index] = pack_f16(x);
}
