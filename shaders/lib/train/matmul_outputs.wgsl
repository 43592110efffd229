// lib matmul_outputs: y [rows, outputs] = a [rows, inputs] times b [outputs, inputs] transposed.

fn result_rows() -> u32 {
  return numbers.rows;
}

fn result_fours() -> u32 {
  return numbers.outputs / 4u;
}

fn first_term(part: u32) -> u32 {
  return 0u;
}

fn end_term(part: u32) -> u32 {
  return numbers.inputs;
}
