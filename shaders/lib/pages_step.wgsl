// lib pages_step: the pages of a step's sequences, listed behind its items.
//
// in   step  lib step

// Index in the list of a sequence's first page.
fn first_page(b: u32) -> u32 {
  return sequence_of(b).first_page;
}

fn page_at(i: u32) -> u32 {
  return step.table[i / 4u][i % 4u];
}
