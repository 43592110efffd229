// lib results_capped: sums softly capped: between minus and plus the cap.

fn activated(sum: f32, second: f32) -> f32 {
  // tanh may overflow where it has long been 1.
  return numbers.softcap * tanh(clamp(sum / numbers.softcap, -15.0, 15.0));
}
