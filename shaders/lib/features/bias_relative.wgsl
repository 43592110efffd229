// lib bias_relative: a number by the head and the distance between the row's own key and the other is added to each score, as T5 does.
//
// in   bias [Hq, 2 * FARTHEST + 1] f32   from FARTHEST keys before the row's own to FARTHEST behind it; those farther away count as these
// consts FARTHEST
// libs scores

@group(0) @binding(7) var<storage, read> bias: array<f32>;

const BIAS_HIDES = false;

fn with_bias(score: f32, row: QueryRow, key: u32) -> f32 {
  let distance = clamp(i32(key) - own_key(row), -FARTHEST, FARTHEST);
  return score + bias[row.head * u32(2 * FARTHEST + 1) + u32(FARTHEST + distance)];
}

fn bias_shows(row: QueryRow, key: u32) -> bool {
  return true;
}
