// lib weights_bf16: weights of bfloat16, the upper halves of f32, eight to a word of 16 bytes.

const WORD_FOURS = 2u;

alias Word = vec4<u32>;

// The word of an output in a tile's row of words.
fn word_at(tile: u32, output: u32) -> Word {
  return weights[tile * TILE + output];
}

// Elements 4i .. 4i + 3 of a word.
fn unpacked(word: Word, i: u32) -> vec4<f32> {
  let pairs = vec2<u32>(word[2u * i], word[2u * i + 1u]);
  return bitcast<vec4<f32>>(vec4<u32>(pairs.x << 16u, pairs.x & 0xffff0000u, pairs.y << 16u, pairs.y & 0xffff0000u));
}
