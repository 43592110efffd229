// lib matmul_right_columns: the right factor of matmul_direct where a row of it holds one term of every column of the result.

@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;

// One term of four columns.
fn right(term: u32, four: u32) -> vec4<f32> {
  return b[term * result_fours() + four];
}
