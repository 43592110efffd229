// lib rope_pairs: turns the first ROTARY_DIM elements of a row by pairs, each by an angle that grows with the position (RoPE), where
// the vec4s of pairs do not fit each other. A pair with NaN or infinity becomes NaN.
//
// in   turns as lib turn_of reads them
// consts ROTARY_DIM WG_SIZE
// libs turn_of, one of pairs_*

@group(0) @binding(7) var<storage, read> turns: array<vec2<f32>>;

const OWNED = 4u; // elements of an invocation

var<workgroup> row_bits: array<u32, 4u * WG_SIZE>;

fn partner_at(i: u32) -> u32 {
  return i; // elements of other invocations, by the workgroup's memory
}

fn share(bits: vec4<u32>, lane: u32) {
  for (var e = 0u; e < OWNED; e++) { // unroll
    row_bits[4u * lane + e] = bits[e];
  }
  workgroupBarrier(); // both rows are there
}

fn turned(bits: vec4<u32>, partner: vec4<u32>, i: u32, lane: u32, position: u32) -> vec4<u32> {
  let row = 4u * (lane - i);
  var result = bits;
  for (var e = 0u; e < OWNED; e++) { // unroll
    let d = 4u * i + e;
    if d < ROTARY_DIM {
      let turn = turn_of(position, pair_of(d));
      result[e] = turned_one(bits[e], row_bits[row + partner_of(d)], turn.x, select(-turn.y, turn.y, is_second(d)));
    }
  }
  return result;
}

fn turned_one(mine: u32, partner: u32, cosine: f32, sine: f32) -> u32 {
  let result = bitcast<f32>(mine) * cosine + bitcast<f32>(partner) * sine;
  let finite = max(mine & 0x7fffffffu, partner & 0x7fffffffu) < INFINITY_BITS;
  return select(NAN_BITS, bitcast<u32>(result), finite);
}
