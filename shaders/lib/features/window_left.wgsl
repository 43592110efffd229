// lib window_left: a row sees WINDOW keys at most, its own and those right before it, and kept ones of lib scores.
//
// consts WINDOW

fn first_key(kv_len: u32, later: u32) -> u32 {
  let visible = kv_len - min(kv_len, later);
  return visible - min(visible, WINDOW);
}
