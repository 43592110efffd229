// lib softcap_none: scores have no cap.

fn capped(score: f32) -> f32 {
  return score;
}
