// matmul_staged.wgsl: a product of two matrices for GPUs, by tiles of both in workgroup memory.
//
// A workgroup owns 4 * LANES rows by LANES vec4s of the result, an invocation four rows by one vec4. In steps of 4 * LANES terms each invocation
// puts a block of four by four numbers of either factor into workgroup memory, turned so that no product has to be: four terms of each
// row of the left factor, and four columns of each term of the right one. There are zeros past the last term.
//
// in   a, b     the factors, f32 as vec4s                                lib matmul_block_*, as left_* and as right_*
//      bias     [columns] f32 as vec4s, where it is added                lib matmul_bias_*
//      residual [rows, columns] f32 as vec4s, where it is added          lib matmul_residual_*
//      numbers  MatmulNumbers                                            lib matmul_numbers
// out  y        [parts, rows, columns] f32 as vec4s, written or added to lib matmul_write_*
// grid tiles in x and y, row by row, and parts in z
// consts LANES
// libs matmul_numbers, matmul_finish, one of matmul_outputs, matmul_inputs, matmul_weights, two of matmul_block_*, one each of
//      matmul_bias_*, matmul_residual_*, matmul_write_*

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;

const WG_SIZE = LANES * LANES;
// From four terms to the next: one more than they have, or invocations that stage side by side would write to one bank.
const FOUR_STRIDE = 4u * LANES + 1u;

// [LANES fours of terms, 4 rows, LANES fours of rows]
var<workgroup> staged_left: array<vec4<f32>, LANES * FOUR_STRIDE>;
// [LANES fours of terms, 4 terms, LANES fours of columns]
var<workgroup> staged_right: array<vec4<f32>, LANES * FOUR_STRIDE>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(group, groups, 4u * LANES, LANES);
  if (tile.row >= result_rows()) {
    return;
  }
  // A column for each row of the result.
  var sums = mat4x4<f32>();
  let end = end_term(group.z);
  // Plus nothing, which a compiler cannot know: lavapipe's would write the loop out, and take many times as long.
  let fours = LANES + (numbers.inputs >> 31u);
  for (var term = first_term(group.z); term < end; term += 4u * LANES) { // bounded
    stage(tile, Terms(term, end), lane);
    workgroupBarrier();
    for (var four = 0u; four < fours; four++) { // bounded
      sums += rights(four, lane % LANES) * lefts(four, lane / LANES);
    }
    workgroupBarrier();
  }
  let row = tile.row + lane / LANES * 4u;
  let four = tile.four + lane % LANES;
  finish(group.z, row, four, sums[0]);
  finish(group.z, row + 1u, four, sums[1]);
  finish(group.z, row + 2u, four, sums[2]);
  finish(group.z, row + 3u, four, sums[3]);
}

// Terms of a step: from the first on, up to the last of the part.
struct Terms {
  first: u32,
  end: u32,
}

// A block of a factor within a step: which four rows or columns of the result, and which four terms.
struct Block {
  place: u32,
  four: u32,
}

fn stage(tile: Tile, terms: Terms, lane: u32) {
  let left = left_block(lane);
  let rows = transpose(left_terms(tile.row + 4u * left.place, result_rows(), terms, left.four));
  let left_at = left.four * FOUR_STRIDE + left.place;
  staged_left[left_at] = rows[0];
  staged_left[left_at + LANES] = rows[1];
  staged_left[left_at + 2u * LANES] = rows[2];
  staged_left[left_at + 3u * LANES] = rows[3];
  let right = right_block(lane);
  let columns = right_terms(4u * (tile.four + right.place), 4u * result_fours(), terms, right.four);
  let right_at = right.four * FOUR_STRIDE + right.place;
  staged_right[right_at] = columns[0];
  staged_right[right_at + LANES] = columns[1];
  staged_right[right_at + 2u * LANES] = columns[2];
  staged_right[right_at + 3u * LANES] = columns[3];
}

// Four terms of four rows: a column for each row.
fn lefts(four: u32, place: u32) -> mat4x4<f32> {
  let at = four * FOUR_STRIDE + place;
  return mat4x4<f32>(
    staged_left[at], staged_left[at + LANES], staged_left[at + 2u * LANES], staged_left[at + 3u * LANES],
  );
}

// Four terms of four columns: a column for each term.
fn rights(four: u32, place: u32) -> mat4x4<f32> {
  let at = four * FOUR_STRIDE + place;
  return mat4x4<f32>(
    staged_right[at], staged_right[at + LANES], staged_right[at + 2u * LANES], staged_right[at + 3u * LANES],
  );
}

fn left_load(at: u32) -> vec4<f32> {
  return a[at];
}

fn right_load(at: u32) -> vec4<f32> {
  return b[at];
}
