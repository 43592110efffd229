// lib elements_int4: a cache of 4-bit integers: 32 to a word of 16 bytes, one bf16 scale per word behind all rows.
// Linked for K and for V, as k_* and v_*; `cache` is the one or the other.
//
// Four bits hold element / scale + 8. A word that held NaN or infinity has a scale of NaN. A row ends with a whole word,
// whatever its head dim.

const WORD_VEC4S = 8u;
const ROW_WORDS = (HEAD_DIM + 31u) / 32u;
const ROW_SCALES = (ROW_WORDS + 1u) / 2u; // in 32 bits, two scales each

// Elements 4i .. 4i + 3 of a word, without the word's scale.
fn unpack(word: vec4<u32>, i: u32) -> vec4<f32> {
  let bits = word[i / 2u] >> (16u * (i % 2u));
  let values = (vec4<u32>(bits) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(0xfu);
  return bitcast<vec4<f32>>(values | vec4<u32>(0x4b000000u)) - vec4<f32>(8388616.0);
}

fn row_scale(scales: u32, row: u32) -> f32 {
  return 1.0;
}

// The scale of one word of a row. `scales` is the index of the first word with scales.
fn word_scale(scales: u32, row: u32, word: u32) -> f32 {
  let at = row * ROW_SCALES + word / 2u;
  let pair = cache[scales + at / 4u][at % 4u];
  return bitcast<f32>(select(pair << 16u, pair & 0xffff0000u, word % 2u == 1u));
}
