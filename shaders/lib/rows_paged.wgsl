// lib rows_paged: where a token lies in a cache of pages, [Hkv, pages, PAGE_SIZE] slots, which any sequence may hold in any order.
//
// Pages that follow each other do so in the slots of each head: a sequence that holds such is read as from contiguous slots.
// The pages of a sequence are a list of numbers, `page_at` of `first_page` and behind: lib pages_step, or append_kv's own.
// Tokens are counted from the first page of the list on which all sequences' pages stand, so that a step from one to the next
// is one addition here too. PAGE_SIZE is even, so that no two heads' scales share 32 bits.
//
// in   step  lib step, or AppendStep of append_kv
// consts PAGE_SIZE NUM_KV_HEADS

// A token's place in the list of all pages. `kv_head` is counted over all sequences.
fn listed_slot(kv_head: u32, token: u32) -> u32 {
  return first_page(kv_head / NUM_KV_HEADS) * PAGE_SIZE + token;
}

fn kv_row(kv_head: u32, token: u32) -> u32 {
  let slot = listed_slot(kv_head, token);
  return slot + kv_shift(kv_head, slot);
}

fn kv_scale_row(kv_head: u32, token: u32) -> u32 {
  return kv_row(kv_head, token);
}

fn kv_cursor(kv_head: u32, token: u32, row_words: u32) -> u32 {
  return listed_slot(kv_head, token) * row_words;
}

fn kv_scale_cursor(kv_head: u32, token: u32) -> u32 {
  return listed_slot(kv_head, token);
}

const SHIFTED = true;

// Rows from a place in the list to where that token's row and scale lie, modulo 2^32: the same for all of a page.
fn kv_shift(kv_head: u32, slot: u32) -> u32 {
  let page = slot / PAGE_SIZE;
  return (page_at(page) + kv_head % NUM_KV_HEADS * step.head_pages - page) * PAGE_SIZE;
}

// Whether a place may have another shift than the one `passed` before: a page has begun since.
fn kv_moves(slot: u32, passed: u32) -> bool {
  return slot % PAGE_SIZE < passed;
}
