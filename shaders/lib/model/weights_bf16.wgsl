// lib weights_bf16: weights of bfloat16, the upper halves of f32, eight to a word of 16 bytes.

const WORD_FOURS = 2u;

alias Word = vec4<u32>;

fn word_at(at: u32, tile: u32, output: u32) -> Word {
  return weights[at];
}

// Elements 4i .. 4i + 3 of a word.
fn unpacked(word: Word, i: u32) -> vec4<f32> {
  let pairs = vec2<u32>(word[2u * i], word[2u * i + 1u]);
  return bitcast<vec4<f32>>(vec4<u32>(pairs.x << 16u, pairs.x & 0xffff0000u, pairs.y << 16u, pairs.y & 0xffff0000u));
}
