// lib write_four_set: four results written to y.

fn write_four(at: u32, value: vec4<f32>) {
  y[at] = value;
}
