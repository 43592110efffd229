// lib tree_bits: which of the step's own keys a position sees is given by bits, the first new key's the lowest.
//
// in   step.table from step.trees on   [B, Q_LEN] vec4: 64 bits, two zeros
// consts Q_LEN
// libs step scores

fn tree_shows(row: QueryRow, key: u32) -> bool {
  let first = i32(row.kv_len) - 1 - i32(row.later + row.position);
  let at = i32(key) - first;
  if at < 0 {
    return true;
  }
  let words = step.table[step.trees + row.sequence * Q_LEN + row.position];
  let bits = select(words.x, words.y, at >= 32);
  return ((bits >> (u32(at) % 32u)) & 1u) != 0u;
}

// All see those before the first new key, and position 0 sees no other one but its own.
fn before_tree(open: u32) -> u32 {
  return max(open, 1u) - 1u;
}
