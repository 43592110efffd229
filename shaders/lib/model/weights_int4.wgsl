// lib weights_int4: weights of four bits, 32 to a word of 16 bytes, with a scale for each word.
// scales: [tiles * blocks, MATRICES, TILE] f32

const WORD_FOURS = 8u;

@group(0) @binding(7) var<storage, read> scales: array<f32>;

struct Word {
  bits: vec4<u32>,
  scale: f32,
}

// The word of an output in a tile's row of words.
fn word_at(tile: u32, output: u32) -> Word {
  return Word(weights[tile * TILE + output], scales[tile * TILE + output]);
}

// Elements 4i .. 4i + 3 of a word; stored as their distance from -8.
fn unpacked(word: Word, i: u32) -> vec4<f32> {
  let four = vec4<u32>(word.bits[i / 2u] >> (16u * (i % 2u))) >> vec4<u32>(0u, 4u, 8u, 12u);
  return (vec4<f32>(four & vec4<u32>(15u)) - 8.0) * word.scale;
}
