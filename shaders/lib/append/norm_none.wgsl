// lib norm_none: rows are taken as they are.

fn normalised(bits: vec4<u32>, which: u32, i: u32, lane: u32) -> vec4<u32> {
  return bits;
}
