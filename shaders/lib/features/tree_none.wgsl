// lib tree_none: the step's positions follow each other.

fn tree_shows(row: QueryRow, key: u32) -> bool {
  return true;
}

fn before_tree(kv_len: u32, q_len: u32) -> u32 {
  return kv_len;
}
