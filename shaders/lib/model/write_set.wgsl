// lib write_set: results written to y.

fn write(row: u32, column: u32, value: f32) {
  y[row * Y + column] = value;
}
