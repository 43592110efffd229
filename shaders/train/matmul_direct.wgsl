// matmul_direct.wgsl: a product of two matrices for CPUs: nothing is staged, and no invocation waits for another.
//
// An invocation has ROWS rows by FOURS vec4s of the result, and takes one term of all its sums at a time. Loads cost most: a CPU makes each of
// them once for every invocation, with its checks. So tiles are large, and the loop is short: one of more terms would be longer than what
// CPUs keep of code and branches (bench/NOTES.md).
//
// in   a, b     the factors                                              libs matmul_left_*, matmul_right_*
//      bias     [columns] f32 as vec4s, where it is added                lib matmul_bias_*
//      residual [rows, columns] f32 as vec4s, where it is added          lib matmul_residual_*
//      numbers  MatmulNumbers                                            lib matmul_numbers
// out  y        [parts, rows, columns] f32 as vec4s, written or added to lib matmul_write_*
// grid tiles in x and y, row by row, and parts in z; a tile has ROWS rows by WG_SIZE * FOURS vec4s
// consts WG_SIZE ROWS ROW_FOURS FOURS; ROWS = 4 * ROW_FOURS
// libs matmul_numbers, matmul_finish, one of matmul_outputs, matmul_inputs, matmul_weights, one each of matmul_left_*, matmul_right_*,
//      matmul_bias_*, matmul_residual_*, matmul_write_*

const SUMS = ROWS * FOURS;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = tile_of(group, groups, ROWS, WG_SIZE * FOURS);
  let four = tile.four + lane * FOURS;
  if (tile.row >= result_rows() || four >= result_fours()) {
    return;
  }
  var sums = array<vec4<f32>, SUMS>();
  let end = end_term(group.z);
  for (var term = first_term(group.z); term < end; term++) { // bounded
    var lefts = left(term, tile.row);
    for (var c = 0u; c < FOURS; c++) { // unroll
      let rights = right(term, min(four + c, result_fours() - 1u));
      for (var r = 0u; r < ROWS; r++) { // unroll
        sums[r * FOURS + c] += lefts[r] * rights;
      }
    }
  }
  for (var r = 0u; r < ROWS; r++) { // unroll
    for (var c = 0u; c < FOURS; c++) { // unroll
      finish(group.z, tile.row + r, four + c, sums[r * FOURS + c]);
    }
  }
}
