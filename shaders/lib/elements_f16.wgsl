// lib elements_f16: a cache of f16 elements: 8 to a word of 16 bytes, unpacked to f32: needs no device feature.
// WGSL would let a driver read halves below 2^-14 as zero; those that test/kernels/unpack.test.ts ran on do not.
// Linked for K and for V, as k_* and v_*.

const WORD_VEC4S = 2u;
const ROW_WORDS = HEAD_DIM / 8u;

// Elements 4i .. 4i + 3 of a word.
fn unpack(word: vec4<u32>, i: u32) -> vec4<f32> {
  let pair = select(word.zw, word.xy, i == 0u);
  return vec4<f32>(unpack2x16float(pair.x), unpack2x16float(pair.y));
}

fn row_scale(scales: u32, row: u32) -> f32 {
  return 1.0;
}

fn word_scale(scales: u32, row: u32, word: u32) -> f32 {
  return 1.0;
}
