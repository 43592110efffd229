// lib sources_own: rows are copied within the buffers of a cache: lib of fork_rows.
//
// in   k_cache, v_cache of fork_rows

fn k_word(at: u32) -> u32 {
  return k_cache[at];
}

fn v_word(at: u32) -> u32 {
  return v_cache[at];
}
