// lib reads_each: each invocation reads all inputs of its outputs: on a GPU, where what many read alike is read once.

struct Invocation {
  @builtin(local_invocation_index) lane: u32,
}

// Number by which shares of a norm are dealt out.
fn share_number(me: Invocation) -> u32 {
  return me.lane;
}

fn take(first: u32, block: u32, share: u32) {
}

// Inputs 4i .. 4i + 3 of a block.
fn taken(row: u32, block: u32, i: u32, r: u32) -> vec4<f32> {
  return input(row, block * WORD_FOURS + i, r);
}
