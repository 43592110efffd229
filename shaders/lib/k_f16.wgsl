// lib k_f16: loads from a K cache of f16 elements, two to a u32 word, unpacked to f32: needs no device feature.
// `index` counts groups of four elements from the cache's start.

@group(0) @binding(1) var<storage, read> k_cache: array<vec2<u32>>;

fn load_k(index: u32) -> vec4<f32> {
  let words = k_cache[index];
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}
