// lib step: the numbers of one step: where its rows lie, and which keys each may see.
//
// The query rows of a KV head are counted by positions, and within a position by heads: row = position * GROUP_SIZE + head
// within the group. Sequences may have different numbers of positions, or none.
//
// consts GROUP_SIZE CAUSAL MASKED (whether a row may not see a key of its item)

struct Step {
  capacity: u32, // token slots per KV head
  batch: u32,
  k_scales: u32, // index of the first word of k_cache with scales, where there are any
  v_scales: u32,
  sm_scale: f32,
  num_q_heads: u32,
  rows: u32,     // of a KV head of the sequence with the most positions: partial states have room for so many
  // From a query head to the next, and from a position to the next: in q and o by vec4s, in lse by numbers.
  q_head: u32,
  q_position: u32,
  o_head: u32,
  o_position: u32,
  lse_head: u32,
  lse_position: u32,
  trees: u32, // index in the table of the trees' bits, lib tree_bits
  // KV heads before those of the segment, counted over all sequences, and how many it has: lib heads_segment.
  first_head: u32,
  heads: u32,
  head_pages: u32, // in a cache of pages, lib rows_paged
  table: array<vec4<u32>>, // [batch] Sequence, then [items] Item, then trees, then pages, four to a vec4
}

struct Sequence {
  kv_len: u32,      // tokens to attend to, the new ones included
  first_state: u32, // index of the first partial state
  num_splits: u32,
  q_len: u32,       // query positions
  q_start: u32,     // where its first row lies: in q and o by vec4s, in lse by numbers
  o_start: u32,
  lse_start: u32,
  first_page: u32,  // index of its first page behind the items, lib pages_step; 0 in a cache without pages
}

// A sequence, or one of its splits.
struct Item {
  sequence: u32,
  begin: u32, // keys: begin .. end - 1
  end: u32,
  state: u32, // 1 + index of its partial state, 0 where it is all of its sequence
}

fn sequence_of(b: u32) -> Sequence {
  let words = step.table[2u * b];
  let starts = step.table[2u * b + 1u];
  return Sequence(words.x, words.y, words.z, words.w, starts.x, starts.y, starts.z, starts.w);
}

fn item_index(i: u32) -> u32 {
  return 2u * step.batch + i;
}

fn item_at(index: u32) -> Item {
  let words = step.table[index];
  return Item(words.x, words.y, words.z, words.w);
}

// A count that the compiler cannot know: there are fewer than 2^31 sequences. Mesa unrolls a loop over D of known length
// whole, and then takes up to half a minute to compile it (27 s against 0.8 s at D = 96 on lavapipe) for no gain in speed.
fn opaque_count(count: u32) -> u32 {
  return count + (step.batch >> 31u);
}

// A row's position, and its query head within its group.
fn position_of(row: u32) -> u32 {
  return row / GROUP_SIZE;
}

fn group_head_of(row: u32) -> u32 {
  return row % GROUP_SIZE;
}

// Where the row of a query head and position lies in q, o and lse. `start` is that of its sequence.
fn query_place(start: u32, head: u32, position: u32) -> u32 {
  return start + head * step.q_head + position * step.q_position;
}

fn output_place(start: u32, head: u32, position: u32) -> u32 {
  return start + head * step.o_head + position * step.o_position;
}

fn lse_place(start: u32, head: u32, position: u32) -> u32 {
  return start + head * step.lse_head + position * step.lse_position;
}

// Keys 0 .. result-1 are visible to a position. Causal masks are aligned bottom-right: the last position sees every key, the
// one before it all but the last. Positions past the last see none.
fn visible_keys(kv_len: u32, q_len: u32, position: u32) -> u32 {
  if !CAUSAL {
    return kv_len;
  }
  let hidden = q_len - 1u - position; // wraps past the last
  return select(0u, kv_len - hidden, kv_len > hidden);
}
