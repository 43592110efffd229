// lib pages_append: the pages of the sequences that append_kv appends to, listed behind their lengths.
//
// in   step  AppendStep

// Index in the list of a sequence's first page.
fn first_page(b: u32) -> u32 {
  return step.lens[5u * step.batch + b];
}

fn page_at(i: u32) -> u32 {
  return step.lens[i];
}
