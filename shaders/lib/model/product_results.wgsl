// lib product_results: the numbers of a product, and what becomes of its sums.
// libs one of bias_*, one of results_* with one of act_*, one of write_*, one of rows_of_step and rows_fixed

struct ProductNumbers {
  first: u32,   // output that the first tile begins with
  blocks: u32,  // BLOCKS, and X4 without what is past a row: loops over numbers that compilers know are written out, which takes minutes
  fours: u32,
  step: u32,    // vec4s of inputs that gemm.wgsl stages at once
  width: u32,   // elements of a row that a norm counts
  eps: f32,
  scale: f32,   // of the outputs
  softcap: f32, // lib results_capped
  rows: u32,    // lib rows_fixed
}

// An output: of one matrix, or of the gate's and the other's.
fn finish(row: u32, column: u32, sum: f32, second: f32) {
  if row >= pass_rows() {
    return;
  }
  let scale = numbers.scale;
  write(row, column, activated(with_bias(sum * scale, column, 0u), with_bias(second * scale, column, 1u)));
}
