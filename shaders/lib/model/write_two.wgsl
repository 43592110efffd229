// lib write_two: the first Y results of a row written to y, the others to a buffer of their own: queries, which an append turns where they
// lie, beside keys and values, which it only reads. others: [rows, OTHERS] f32

@group(0) @binding(8) var<storage, read_write> others: array<f32>;

fn write(row: u32, column: u32, value: f32) {
  if column < Y {
    y[row * Y + column] = value;
  } else {
    others[row * OTHERS + column - Y] = value;
  }
}
