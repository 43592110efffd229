// lib matmul_block_columns: blocks of a factor of matmul_staged of which a row holds one term of every row or column of the result.

// The block that an invocation stages: neighbours have neighbouring columns.
fn block(lane: u32) -> Block {
  return Block(lane % LANES, lane / LANES);
}

// Four terms of rows or columns from `first` on, of `count`, both multiples of 4: a column of the matrix for each term.
fn terms(first: u32, count: u32, step: Terms, four: u32) -> mat4x4<f32> {
  let term = step.first + 4u * four;
  // Past the last column it is other columns' again: such sums are not written.
  let at = min(first, count - 4u) / 4u;
  let stride = count / 4u;
  return mat4x4<f32>(
    one_term(term, step.end, stride, at),
    one_term(term + 1u, step.end, stride, at),
    one_term(term + 2u, step.end, stride, at),
    one_term(term + 3u, step.end, stride, at),
  );
}

fn one_term(term: u32, end: u32, stride: u32, at: u32) -> vec4<f32> {
  if (term >= end) {
    return vec4<f32>();
  }
  return load(term * stride + at);
}
