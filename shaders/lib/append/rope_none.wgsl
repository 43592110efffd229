// lib rope_none: rows are not turned.

fn turned(bits: vec4<u32>, i: u32, lane: u32, position: u32) -> vec4<u32> {
  return bits;
}
