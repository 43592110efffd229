// lib rows_contiguous: where a token lies in a cache whose KV heads have `capacity` slots each, one behind the other.
//
// in   step  lib step, or AppendStep of append_kv

// Index of a token's row of elements. `kv_head` is counted over all sequences.
fn kv_row(kv_head: u32, token: u32) -> u32 {
  return kv_head * step.capacity + token;
}

// Index of its scale, where a cache has one per row: every head begins at an even number, so that no two heads share 32 bits.
fn kv_scale_row(kv_head: u32, token: u32) -> u32 {
  return kv_head * ((step.capacity + 1u) & ~1u) + token;
}

// A kernel that walks along rows counts words from here: by row_words from one token to the next, so that a step is one
// addition.
fn kv_cursor(kv_head: u32, token: u32, row_words: u32) -> u32 {
  return (kv_head * step.capacity + token) * row_words;
}

// The same for scales, of which a row has one.
fn kv_scale_cursor(kv_head: u32, token: u32) -> u32 {
  return kv_scale_row(kv_head, token);
}

// Whether rows lie elsewhere than their cursors say: lib registers_rows then adds their shifts to cursors of scales.
const SHIFTED = false;

fn kv_shift(kv_head: u32, cursor: u32) -> u32 {
  return 0u;
}

fn kv_moves(cursor: u32, passed: u32) -> bool {
  return false;
}
