// embed_rows.wgsl: rows of an embedding table, by the ids of tokens, in f32 as training keeps it.
//
// in   tokens  [rows] u32, each below the vocabulary
//      table   [vocabulary, width] f32 as vec4s
//      numbers EmbedRowsNumbers
// out  x       [rows, width] f32 as vec4s
// grid (rows * width / 4 / WG_SIZE rounded up, folded into x and y, 1); an invocation owns a vec4
// consts WG_SIZE
// libs one of row_positions_*

struct EmbedRowsNumbers {
  rows: u32,
  width: u32,
  length: u32, // rows of a sequence: row m has position m % length
}

@group(0) @binding(0) var<storage, read> tokens: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> numbers: EmbedRowsNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let fours = numbers.width / 4u;
  let at = (group.y * groups.x + group.x) * WG_SIZE + lane;
  if at >= numbers.rows * fours {
    return;
  }
  let row = at / fours;
  let i = at % fours;
  x[at] = table[tokens[row] * fours + i] + position_four((row % numbers.length) * fours + i);
}
