// lib alibi_slopes: ALiBi adds the head's slope times the way from the row's own key to the other: below 0 for keys before it.
//
// libs scores head_numbers

fn with_slope(score: f32, row: QueryRow, key: u32) -> f32 {
  return score + head_numbers.heads[row.head].y * f32(i32(key) - own_key(row));
}
