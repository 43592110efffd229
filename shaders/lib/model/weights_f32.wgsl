// lib weights_f32: weights of f32, four to a word of 16 bytes.

const WORD_FOURS = 1u;

alias Word = vec4<u32>;

// The word of an output in a tile's row of words.
fn word_at(tile: u32, output: u32) -> Word {
  return weights[tile * TILE + output];
}

// Elements 4i .. 4i + 3 of a word.
fn unpacked(word: Word, i: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(word);
}
