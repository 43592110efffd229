// lib matmul_left_columns: the left factor of matmul_direct where a row of it holds one term of every row of the result.

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;

// One term of ROWS rows, a multiple of 4. Past the last row it is other rows' again: such sums are not written.
fn left(term: u32, row: u32) -> array<f32, ROWS> {
  var values = array<f32, ROWS>();
  let fours = result_rows() / 4u;
  for (var r = 0u; r < ROW_FOURS; r++) { // unroll
    let four = a[term * fours + min(row / 4u + r, fours - 1u)];
    values[4u * r] = four.x;
    values[4u * r + 1u] = four.y;
    values[4u * r + 2u] = four.z;
    values[4u * r + 3u] = four.w;
  }
  return values;
}
