// lib rope_half: turns the first ROTARY_DIM elements of a row (RoPE): a vec4 of the first half and one of the second half are pairs.
//
// consts ROTARY_DIM (a multiple of 8)
// libs turned_vec4

fn partner_at(i: u32) -> u32 {
  let other = select(i - ROTARY_VEC4S / 2u, i + ROTARY_VEC4S / 2u, i < ROTARY_VEC4S / 2u);
  return select(i, other, i < ROTARY_VEC4S);
}

fn turned(bits: vec4<u32>, partner: vec4<u32>, i: u32, lane: u32, position: u32) -> vec4<u32> {
  if i >= ROTARY_VEC4S {
    return bits;
  }
  let at = i % (ROTARY_VEC4S / 2u) * 2u;
  let first = two_turns(position, at);
  let second = two_turns(position, at + 1u);
  let sine = vec4<f32>(first.yw, second.yw);
  return turned_vec4(bits, partner, vec4<f32>(first.xz, second.xz), select(-sine, sine, i >= ROTARY_VEC4S / 2u));
}
