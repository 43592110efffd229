// lib rows_ring: where a token lies in a layer that keeps the first tokens of a sequence and, in a ring, the last ones.
//
// The first RING_SINKS tokens have slots of their own; the others take the RING_LENGTH slots behind them in turn. Both are even, so
// that two tokens whose scales share 32 bits lie side by side on every lap. Cursors count words by tokens, not by slots.
//
// consts RING_SINKS RING_LENGTH

const RING_SLOTS = RING_SINKS + RING_LENGTH;

fn ring_slot(token: u32) -> u32 {
  return select(RING_SINKS + (token - RING_SINKS) % RING_LENGTH, token, token < RING_SINKS);
}

// Index of a token's row of elements. `kv_head` is counted over all sequences.
fn kv_row(kv_head: u32, token: u32) -> u32 {
  return kv_head * RING_SLOTS + ring_slot(token);
}

fn kv_scale_row(kv_head: u32, token: u32) -> u32 {
  return kv_row(kv_head, token);
}

fn kv_cursor(kv_head: u32, token: u32, row_words: u32) -> u32 {
  return token * row_words;
}

fn kv_scale_cursor(kv_head: u32, token: u32) -> u32 {
  return token;
}

const SHIFTED = true;

// Rows from a scale's cursor to where the token's row and scale lie, modulo 2^32.
fn kv_shift(kv_head: u32, cursor: u32) -> u32 {
  return kv_row(kv_head, cursor) - cursor;
}

// Whether a token may have another shift than the one `passed` before: a lap has begun since.
fn kv_moves(cursor: u32, passed: u32) -> bool {
  return (cursor - RING_SINKS) % RING_LENGTH < passed;
}
