// lib write_four_added: four results added to what y holds: a residual.

fn write_four(at: u32, value: vec4<f32>) {
  y[at] += value;
}
