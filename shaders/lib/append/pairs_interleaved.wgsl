// lib pairs_interleaved: elements 2d and 2d + 1 of a row are a pair.

fn partner_of(d: u32) -> u32 {
  return d ^ 1u;
}

fn pair_of(d: u32) -> u32 {
  return d / 2u;
}

fn is_second(d: u32) -> bool {
  return d % 2u == 1u;
}

// The other way: the first element of a pair.
fn first_of(pair: u32) -> u32 {
  return 2u * pair;
}
