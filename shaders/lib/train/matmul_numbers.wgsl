// lib matmul_numbers: the sizes of a product of two matrices, and which tile of the result a workgroup has.

struct MatmulNumbers {
  rows: u32, // of activations
  inputs: u32, // of a row of weights, a multiple of 4, below 2^31
  outputs: u32, // rows of weights, a multiple of 4
  share: u32, // rows of activations that a part of gradients of weights sums over
}

@group(0) @binding(3) var<uniform> numbers: MatmulNumbers;

// Where a workgroup's tile begins: its row, and its vec4 in that.
struct Tile {
  row: u32,
  four: u32,
}

// Tiles lie row by row, and what a dimension of the grid cannot hold goes on in the next: past the last tile are rows that are none.
fn tile_of(group: vec3<u32>, groups: vec3<u32>, rows: u32, fours: u32) -> Tile {
  let tile = group.y * groups.x + group.x;
  let across = (result_fours() + fours - 1u) / fours;
  return Tile(tile / across * rows, tile % across * fours);
}
