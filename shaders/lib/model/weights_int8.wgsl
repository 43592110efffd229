// lib weights_int8: weights of eight bits, sixteen to a word of 16 bytes, with a scale for each 32 inputs of an output.
// scales: [tiles * blocks / 2, MATRICES, TILE] f32, for the two words of 32 inputs

const WORD_FOURS = 4u;

@group(0) @binding(7) var<storage, read> scales: array<f32>;

struct Word {
  bits: vec4<u32>,
  scale: f32,
}

// The word of an output in a tile's row of words.
fn word_at(tile: u32, output: u32) -> Word {
  let pair = tile / MATRICES / 2u * MATRICES + tile % MATRICES;
  return Word(weights[tile * TILE + output], scales[pair * TILE + output]);
}

// Elements 4i .. 4i + 3 of a word.
fn unpacked(word: Word, i: u32) -> vec4<f32> {
  let up = vec4<u32>(word.bits[i]) << vec4<u32>(24u, 16u, 8u, 0u);
  return vec4<f32>(bitcast<vec4<i32>>(up) >> vec4<u32>(24u)) * word.scale;
}
