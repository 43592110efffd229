// lib slices_one: each invocation has all inputs of its outputs.

fn slice_of(lane: u32) -> u32 {
  return 0u;
}

fn conclude(first: u32, column: u32, lane: u32, sums: ptr<function, array<Sum, SUMS>>) {
  for (var c = 0u; c < COLUMNS; c++) { // unroll
    for (var r = 0u; r < ROWS; r++) { // unroll
      let second = (COLUMNS * MATRICES - COLUMNS + c) * ROWS + r;
      let scale = input_scale(r);
      finish(first + r, column + c * LANES, total((*sums)[c * ROWS + r]) * scale, total((*sums)[second]) * scale);
    }
  }
}
