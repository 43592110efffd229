// lib rope_none: rows are not turned.

fn partner_at(i: u32) -> u32 {
  return i;
}

fn share(bits: vec4<u32>, lane: u32) {}

fn turned(bits: vec4<u32>, partner: vec4<u32>, i: u32, lane: u32, position: u32) -> vec4<u32> {
  return bits;
}
