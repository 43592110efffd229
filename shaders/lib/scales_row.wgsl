// lib scales_row: one bf16 scale per row, behind all rows of the cache. Linked for K and for V, as k_* and v_*; one of words_*.
// A row that held NaN or infinity has a scale of NaN.

// The scale of a row, for the score of a key or the weight of a value. `scales` is where they begin, in 16 bytes.
fn row_scale(scales: u32, row: u32) -> f32 {
  let pair = cache_u32(scales * 4u + row / 2u);
  return bitcast<f32>((pair << (16u - 16u * (row % 2u))) & 0xffff0000u);
}

fn word_scale(scales: u32, place: u32) -> f32 {
  return 1.0;
}
