// lib rope_interleaved: turns the first ROTARY_DIM elements of a row (RoPE): neighbours are pairs, and a vec4 has two.
//
// consts ROTARY_DIM (a multiple of 4)
// libs turned_vec4

fn partner_at(i: u32) -> u32 {
  return i;
}

fn turned(bits: vec4<u32>, partner: vec4<u32>, i: u32, lane: u32, position: u32) -> vec4<u32> {
  if i >= ROTARY_VEC4S {
    return bits;
  }
  let turn = two_turns(position, i);
  return turned_vec4(bits, partner.yxwz, turn.xxzz, vec4<f32>(-turn.y, turn.y, -turn.w, turn.w));
}
