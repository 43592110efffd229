// matmul_staged.wgsl: a product of two matrices for GPUs, by tiles of both in workgroup memory.
//
// A workgroup owns 4 * LANES rows by LANES vec4s of the result. In steps of 4 * STEP_FOURS terms its invocations put what they need of both
// factors into workgroup memory, as vec4s as they lie there, and zeros past the last term. An invocation has four rows by one vec4.
//
// in   a, b     the factors, f32 as vec4s                                lib matmul_stage_*, as left_* and as right_*
//      bias     [columns] f32 as vec4s, where it is added                lib matmul_bias_*
//      residual [rows, columns] f32 as vec4s, where it is added          lib matmul_residual_*
//      numbers  MatmulNumbers                                            lib matmul_numbers
// out  y        [parts, rows, columns] f32 as vec4s, written or added to lib matmul_write_*
// grid tiles in x and y, row by row, and parts in z
// consts LANES STEP_FOURS
// libs matmul_numbers, matmul_finish, one of matmul_outputs, matmul_inputs, matmul_weights, two of matmul_stage_*, one each of
//      matmul_bias_*, matmul_residual_*, matmul_write_*

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;

const WG_SIZE = LANES * LANES;
// Vec4s of a factor that are staged at once.
const STAGED = 4u * STEP_FOURS * LANES;

fn left_load(at: u32) -> vec4<f32> {
  return a[at];
}

fn right_load(at: u32) -> vec4<f32> {
  return b[at];
}

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
  // Plus nothing, which a compiler cannot know: lavapipe's would write the loop out, and take four times as long.
  let step_fours = STEP_FOURS + (numbers.inputs >> 31u);
  for (var term = first_term(group.z); term < end; term += 4u * STEP_FOURS) {
    left_stage(Stretch(tile.row, result_rows(), term, end), lane);
    right_stage(Stretch(4u * tile.four, 4u * result_fours(), term, end), lane);
    workgroupBarrier();
    for (var four = 0u; four < step_fours; four++) {
      sums += right_terms(four, lane % LANES) * transpose(left_terms(four, lane / LANES));
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

// What is staged of a factor: rows or columns of the result from `first` on, of `count`, and terms from `term` on, up to `end`.
struct Stretch {
  first: u32,
  count: u32,
  term: u32,
  end: u32,
}
