// lib inputs_plain: rows as they are.

fn prepare(first: u32, lane: u32) {
}

fn settle(first: u32, lane: u32) {
}

fn input(row: u32, i: u32, r: u32) -> vec4<f32> {
  return x[row * X4 + i];
}

// Element 4i + c.
fn input_element(row: u32, i: u32, c: u32, r: u32) -> f32 {
  return x[row * X4 + i][c];
}

fn input_scale(r: u32) -> f32 {
  return 1.0;
}
