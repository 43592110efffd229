// lib inputs_plain: rows as they are.

fn prepare(first: u32, lane: u32) {
}

fn settle(first: u32, lane: u32) {
}

fn input(row: u32, i: u32, r: u32) -> vec4<f32> {
  return x[row * X4 + i];
}

// Of element 4i + c.
fn input_of(element: f32, i: u32, c: u32, r: u32) -> f32 {
  return element;
}

fn count_element(r: u32, element: f32) {
}

fn input_scale(r: u32) -> f32 {
  return 1.0;
}
