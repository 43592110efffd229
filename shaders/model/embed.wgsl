// embed.wgsl: rows of an embedding table, by the ids of tokens.
//
// The table lies as product.wgsl reads it, so that a model whose head is the same table has it once.
//
// in   ids     [rows] u32, each below the vocabulary
//      weights tiles of [BLOCKS, TILE] words of 16 bytes   lib weights_*
//      step    ModelStep
//      numbers EmbedNumbers
// out  x       [rows, X4] f32 as vec4s; ids of other parts of the table are left to their dispatches
// grid (BLOCKS / WG_SIZE rounded up, rows, 1); an invocation owns a block of a row
// consts X4 BLOCKS TILE WG_SIZE MATRICES
// libs one of weights_*, one of positions_*, model_step

struct EmbedNumbers {
  first: u32, // id of the part's first row
  count: u32, // its rows
  scale: f32,
}

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> step: ModelStep;
@group(0) @binding(3) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> numbers: EmbedNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let block = id.x;
  let token = ids[id.y] - numbers.first; // wraps for an earlier part's
  if block >= BLOCKS || token >= numbers.count {
    return;
  }
  let tile = token / TILE * BLOCKS + block;
  let word = word_at(tile, token % TILE);
  for (var i = 0u; i < WORD_FOURS; i++) { // unroll
    let at = block * WORD_FOURS + i;
    x[id.y * X4 + at] = unpacked(word, i) * numbers.scale + position_four(step.positions[id.y], at);
  }
}
