// lib step: the numbers of one step, and which keys a query row may see.
//
// consts Q_LEN CAUSAL HIDES

const MASKED = (CAUSAL && Q_LEN > 1u) || HIDES; // whether any row may not see a key of its item

struct Step {
  capacity: u32, // token slots per KV head
  batch: u32,
  k_scales: u32, // index of the first word of k_cache with scales, where there are any
  v_scales: u32,
  sm_scale: f32,
  trees: u32, // index in the table of the trees' bits, lib tree_bits
  table: array<vec4<u32>>, // [batch] Sequence, then [items] Item, then trees, then pages, four to a vec4
}

struct Sequence {
  kv_len: u32,      // tokens to attend to, the new ones included
  first_state: u32, // index of the first partial state
  num_splits: u32,
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
  let words = step.table[b];
  return Sequence(words.x, words.y, words.z, words.w);
}

fn item_of(i: u32) -> Item {
  let words = step.table[step.batch + i];
  return Item(words.x, words.y, words.z, words.w);
}

// Tokens of a sequence to attend to, the new ones included.
fn kv_len_of(b: u32) -> u32 {
  return sequence_of(b).kv_len;
}

// A count that the compiler cannot know: there are fewer than 2^31 sequences. Mesa unrolls a loop over D of known length
// whole, and then takes up to half a minute to compile it (27 s against 0.8 s at D = 96 on lavapipe) for no gain in speed.
fn opaque_count(count: u32) -> u32 {
  return count + (step.batch >> 31u);
}

// Keys 0 .. result-1 are visible to query row `row` of a KV head (row = query head in group * Q_LEN + position).
// Causal masks are aligned bottom-right: the last position sees every key, the one before it all but the last.
fn visible_keys(kv_len: u32, row: u32) -> u32 {
  if !CAUSAL {
    return kv_len;
  }
  let hidden = Q_LEN - 1u - row % Q_LEN;
  return select(0u, kv_len - hidden, kv_len > hidden);
}
