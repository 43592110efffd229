// lib window_none: a row sees keys from the first on; or the plan has none before its window.

fn first_key(kv_len: u32, later: u32) -> u32 {
  return 0u;
}
