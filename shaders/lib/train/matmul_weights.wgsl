// lib matmul_weights: y [parts, outputs, inputs] = a [rows, outputs] transposed times b [rows, inputs], each part over its share of the rows.

fn result_rows() -> u32 {
  return numbers.outputs;
}

fn result_fours() -> u32 {
  return numbers.inputs / 4u;
}

fn first_term(part: u32) -> u32 {
  return part * numbers.share;
}

fn end_term(part: u32) -> u32 {
  return min(numbers.rows, (part + 1u) * numbers.share);
}
