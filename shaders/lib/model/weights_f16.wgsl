// lib weights_f16: weights of f16, eight to a word of 16 bytes: needs no device feature.

const WORD_FOURS = 2u;

alias Word = vec4<u32>;

fn word_at(at: u32, tile: u32, output: u32) -> Word {
  return weights[at];
}

// Elements 4i .. 4i + 3 of a word.
fn unpacked(word: Word, i: u32) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(word[2u * i]), unpack2x16float(word[2u * i + 1u]));
}
