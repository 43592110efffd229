// lib write_added: results added to what y holds: a residual.

fn write(row: u32, column: u32, value: f32) {
  y[row * Y + column] += value;
}
