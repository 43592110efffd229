// lib matmul_finish: what becomes of four sums side by side, where the result has them.

fn finish(part: u32, row: u32, four: u32, sums: vec4<f32>) {
  if (row < result_rows() && four < result_fours()) {
    let at = (part * result_rows() + row) * result_fours() + four;
    write(at, sums + bias_of(four) + residual_of(at));
  }
}
