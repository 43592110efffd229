// lib matmul_block_rows: blocks of a factor of matmul_staged of which a row holds the terms of one row or column of the result.

// The block that an invocation stages: neighbours have neighbouring terms.
fn block(lane: u32) -> Block {
  return Block(lane / LANES, lane % LANES);
}

// Four terms of rows or columns from `first` on, of `count`: a column of the matrix for each term. There is a multiple of 4 terms.
fn terms(first: u32, count: u32, step: Terms, four: u32) -> mat4x4<f32> {
  if (step.first + 4u * four >= step.end) {
    return mat4x4<f32>();
  }
  let at = step.first / 4u + four;
  // Past the last row it is that row's again: such sums are not written.
  let last = count - 1u;
  let stride = step.end / 4u;
  return transpose(mat4x4<f32>(
    load(min(first, last) * stride + at),
    load(min(first + 1u, last) * stride + at),
    load(min(first + 2u, last) * stride + at),
    load(min(first + 3u, last) * stride + at),
  ));
}
