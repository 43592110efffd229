// lib tree_bits: which of the step's own keys a position sees is given by bits, the first new key's the lowest.
//
// in   step.table from step.trees on   [B, most query positions of a sequence] vec4: 64 bits, two zeros
// consts GROUP_SIZE
// libs step scores

fn tree_shows(row: QueryRow, key: u32) -> bool {
  let first = i32(row.kv_len) - 1 - i32(row.later + row.position);
  let at = i32(key) - first;
  if at < 0 {
    return true;
  }
  let words = step.table[step.trees + row.sequence * (step.rows / GROUP_SIZE) + row.position];
  let bits = select(words.x, words.y, at >= 32);
  return ((bits >> (u32(at) % 32u)) & 1u) != 0u;
}

// All see the keys before the first new one.
fn before_tree(kv_len: u32, q_len: u32) -> u32 {
  return kv_len - min(kv_len, q_len);
}
