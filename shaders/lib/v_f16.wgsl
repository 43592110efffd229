// lib v_f16: loads from a V cache of f16 elements, two to a u32 word, unpacked to f32: needs no device feature.
// `index` counts groups of four elements from the cache's start.

@group(0) @binding(2) var<storage, read> v_cache: array<vec2<u32>>;

fn load_v(index: u32) -> vec4<f32> {
  let words = v_cache[index];
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}
