// lib model_step: what is different from one pass through a model to the next.

struct ModelStep {
  rows: u32,
  slot: u32,        // which of the results of several steps is this one's
  top_k: u32,       // 0 for all
  seed: u32,
  temperature: f32,
  top_p: f32,
  // [rows]: the position of each row's token in its sequence
  positions: array<u32>,
}
