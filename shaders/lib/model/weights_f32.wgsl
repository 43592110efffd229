// lib weights_f32: weights of f32, four to a word of 16 bytes.

const WORD_FOURS = 1u;

alias Word = vec4<u32>;

fn word_at(at: u32, tile: u32, output: u32) -> Word {
  return weights[at];
}

// Elements 4i .. 4i + 3 of a word.
fn unpacked(word: Word, i: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(word);
}
