// lib step: the numbers of one step, and which keys a query row may see.
//
// consts Q_LEN CAUSAL

struct Step {
  num_splits: u32,
  split_len: u32,
  capacity: u32, // token slots per KV head
  sm_scale: f32,
  kv_lens: array<u32>, // [B] tokens to attend to, the new ones included
}

// A count that the compiler cannot know: num_splits is below 2^31. Mesa unrolls a loop over D of known length whole, and
// then takes up to half a minute to compile it (27 s against 0.8 s at D = 96 on lavapipe) for no gain in speed.
fn opaque_count(count: u32) -> u32 {
  return count + (step.num_splits >> 31u);
}

// Keys 0 .. result-1 are visible to query row `row` of a KV head (row = query head in group * Q_LEN + position).
// Causal masks are aligned bottom-right: the last position sees every key, the one before it all but the last.
fn visible_keys(kv_len: u32, row: u32) -> u32 {
  if !CAUSAL {
    return kv_len;
  }
  let hidden = Q_LEN - 1u - row % Q_LEN;
  return select(0u, kv_len - hidden, kv_len > hidden);
}
