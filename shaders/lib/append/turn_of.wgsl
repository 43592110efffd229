// lib turn_of: the turn of a pair at a position, as a complex number: the product of two of a table, since devices' own cosines are right
// near zero only.
//
// in   turns [ROPE_LOW, P] then [., P] vec2 f32   P = ROTARY_DIM / 2; cosine and sine at each position below ROPE_LOW, then at
//                                            each multiple of it; a kernel or lib binds them
// consts ROTARY_DIM ROPE_LOW

fn turn_of(position: u32, pair: u32) -> vec2<f32> {
  let low = turns[position % ROPE_LOW * (ROTARY_DIM / 2u) + pair];
  let high = turns[(ROPE_LOW + position / ROPE_LOW) * (ROTARY_DIM / 2u) + pair];
  return vec2<f32>(high.x * low.x - high.y * low.y, high.x * low.y + high.y * low.x);
}
