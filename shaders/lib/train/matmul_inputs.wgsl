// lib matmul_inputs: y [rows, inputs] = a [rows, outputs] times b [outputs, inputs].

fn result_rows() -> u32 {
  return numbers.rows;
}

fn result_fours() -> u32 {
  return numbers.inputs / 4u;
}

fn first_term(part: u32) -> u32 {
  return 0u;
}

fn end_term(part: u32) -> u32 {
  return numbers.outputs;
}
