// lib reads_broadcast: the invocations of a subgroup read an input each and tell the others: on a CPU, where what all read alike
// is read for each of them.
// libs subgroup_sized
// consts SUBGROUP, HELD (inputs of a block that an invocation reads), ALL_HELD (HELD * ROWS)

var<private> held: array<f32, ALL_HELD>;

// Number by which shares of a norm are dealt out.
fn share_number(me: Invocation) -> u32 {
  return me.place;
}

fn take(first: u32, block: u32, share: u32) {
  for (var r = 0u; r < ROWS; r++) { // unroll
    for (var h = 0u; h < HELD; h++) { // unroll
      let n = h * SUBGROUP + share;
      let at = block * WORD_FOURS * 4u + n;
      let element = x[(first + r) * X4 + at / 4u][at % 4u];
      // Of words with fewer elements than the subgroup has invocations, the rest read elements of the next block.
      count_element(r, select(element, 0.0, n >= WORD_FOURS * 4u));
      held[r * HELD + h] = input_of(element, at / 4u, at % 4u, r);
    }
  }
}

// Inputs 4i .. 4i + 3 of a block.
fn taken(row: u32, block: u32, i: u32, r: u32) -> vec4<f32> {
  return vec4<f32>(told(r, 4u * i), told(r, 4u * i + 1u), told(r, 4u * i + 2u), told(r, 4u * i + 3u));
}

fn told(r: u32, i: u32) -> f32 {
  return broadcast(held[r * HELD + i / SUBGROUP], i % SUBGROUP);
}
