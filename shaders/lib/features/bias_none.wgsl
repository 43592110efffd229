// lib bias_none: no bias.

const BIAS_HIDES = false;

fn with_bias(score: f32, row: QueryRow, key: u32) -> f32 {
  return score;
}

fn bias_shows(row: QueryRow, key: u32) -> bool {
  return true;
}
