// lib scores: what a decoder's features make of a finished score, and which keys a query row sees.
//
// The order is the field's: the scaled product is capped, then slopes and bias are added, then keys are hidden.
// consts CAUSAL MASKED SHAPED HIDES SINK_TOKENS (which windows do not hide)
// libs   step numbers, one each of softcap_*, alibi_*, bias_*, tree_*, window_*

// A query row, as features look at it.
struct QueryRow {
  kv_len: u32,   // tokens of the sequence
  sequence: u32,
  head: u32,     // query head, within the sequence
  position: u32, // among the step's positions of the sequence
  later: u32,    // positions behind it
}

// The key of the row's own token; below 0 where a sequence is shorter than its step.
fn own_key(row: QueryRow) -> i32 {
  return i32(row.kv_len) - 1 - i32(row.later);
}

// What is kept of a product of q and k, scaled. One that is bad stays so, whatever would be added to it.
fn finish_score(product: f32, row: QueryRow, key: u32, visible: bool) -> f32 {
  let score = kept_score(product, visible);
  if !SHAPED || score == BAD_SCORE {
    return score;
  }
  return kept_score(with_bias(with_slope(capped(product), row, key), row, key), visible);
}

// Whether a row sees a key of its sequence. A hidden key's weight is 0, but 0 times a V of NaN is not.
fn sees(row: QueryRow, key: u32) -> bool {
  return !MASKED || ((!CAUSAL || i32(key) <= own_key(row)) && shows(row, key));
}

// Whether no feature hides a key that the row would see without them.
fn shows(row: QueryRow, key: u32) -> bool {
  return !HIDES || (in_window(row, key) && tree_shows(row, key) && bias_shows(row, key));
}

fn in_window(row: QueryRow, key: u32) -> bool {
  return key < SINK_TOKENS || key >= first_key(row.kv_len, row.later);
}

// All keys from `begin` to before the result are seen by all rows from a position on.
fn open_keys(kv_len: u32, q_len: u32, position: u32, begin: u32) -> u32 {
  let last = first_key(kv_len, 0u); // where the last window begins
  let in_windows = begin >= last || last <= SINK_TOKENS;
  if BIAS_HIDES || !(in_windows || begin < SINK_TOKENS) {
    return 0u;
  }
  let open = min(visible_keys(kv_len, q_len, position), before_tree(kv_len, q_len)); // the first position sees the fewest
  return select(min(open, SINK_TOKENS), open, in_windows);
}
