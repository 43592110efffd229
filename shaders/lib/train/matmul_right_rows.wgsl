// lib matmul_right_rows: the right factor of matmul_direct where a row of it holds the terms of a column of the result.

@group(0) @binding(1) var<storage, read> b: array<f32>;

// One term of four columns.
fn right(term: u32, four: u32) -> vec4<f32> {
  let terms = end_term(0u);
  let at = four * 4u * terms + term;
  return vec4<f32>(b[at], b[at + terms], b[at + 2u * terms], b[at + 3u * terms]);
}
