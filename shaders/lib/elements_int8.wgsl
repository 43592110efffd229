// lib elements_int8: a cache of 8-bit integers: 16 to a word of 16 bytes, one bf16 scale per row behind all rows.
// Linked for K and for V, as k_* and v_*; `cache` is the one or the other.
//
// A byte holds element / scale + 128. Its f32 is made of bits, 2^23 + byte, because an integer conversion costs many
// times an addition on some GPUs. A row that held NaN or infinity has a scale of NaN.

const WORD_VEC4S = 4u;
const ROW_WORDS = HEAD_DIM / 16u;

// Elements 4i .. 4i + 3 of a word, without the row's scale.
fn unpack(word: vec4<u32>, i: u32) -> vec4<f32> {
  let bytes = (vec4<u32>(word[i]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu);
  return bitcast<vec4<f32>>(bytes | vec4<u32>(0x4b000000u)) - vec4<f32>(8388736.0);
}

// The scale of a row, for the score of a key or the weight of a value. `scales` is the index of the first word with
// scales; two rows share 32 bits, eight a word.
fn row_scale(scales: u32, row: u32) -> f32 {
  let pair = cache[scales + row / 8u][(row / 2u) % 4u];
  return bitcast<f32>(select(pair << 16u, pair & 0xffff0000u, row % 2u == 1u));
}

fn word_scale(scales: u32, row: u32, word: u32) -> f32 {
  return 1.0;
}
