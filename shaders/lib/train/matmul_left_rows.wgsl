// lib matmul_left_rows: the left factor of matmul_direct where a row of it holds the terms of a row of the result.

@group(0) @binding(0) var<storage, read> a: array<f32>;

// One term of ROWS rows. Past the last row it is that row's again: such sums are not written.
fn left(term: u32, row: u32) -> array<f32, ROWS> {
  var values = array<f32, ROWS>();
  for (var r = 0u; r < ROWS; r++) { // unroll
    values[r] = a[min(row + r, result_rows() - 1u) * end_term(0u) + term];
  }
  return values;
}
