// lib weights_f16: weights of f16, eight to a word of 16 bytes: needs no device feature.

const WORD_FOURS = 2u;

alias Word = vec4<u32>;

// The word of an output in a tile's row of words.
fn word_at(tile: u32, output: u32) -> Word {
  return weights[tile * TILE + output];
}

// Elements 4i .. 4i + 3 of a word.
fn unpacked(word: Word, i: u32) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(word[2u * i]), unpack2x16float(word[2u * i + 1u]));
}
