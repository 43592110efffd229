// lib elements_f16: a cache of f16 elements, unpacked to f32: needs no device feature.
// WGSL would let a driver read halves below 2^-14 as zero; those that test/kernels/unpack.test.ts ran on do not.
// Linked for K and for V, as k_* and v_*, with words of 8 bytes or more: one of words_*.

const ROW_WORDS = ROW_DIM / 2u / WORD_U32S;
const ZERO = 0.0;

// Elements 4i .. 4i + 3 of a word.
fn unpack(word: Word, i: u32) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(word_u32(word, 2u * i)), unpack2x16float(word_u32(word, 2u * i + 1u)));
}
