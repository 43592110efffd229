// lib pairs_half: element d of a row's first half and element d of its second half are a pair.
//
// consts ROTARY_DIM

fn partner_of(d: u32) -> u32 {
  return select(d - ROTARY_DIM / 2u, d + ROTARY_DIM / 2u, d < ROTARY_DIM / 2u);
}

fn pair_of(d: u32) -> u32 {
  return d % (ROTARY_DIM / 2u);
}

fn is_second(d: u32) -> bool {
  return d >= ROTARY_DIM / 2u;
}

// The other way: the first element of a pair.
fn first_of(pair: u32) -> u32 {
  return pair;
}
