// lib source_f16: rows that an append reads are f16, two to a word: the bits of the f32 that each is. Linked for k, v and q, as
// k_*, v_* and q_*. Needs lib halves.

alias Source = vec2<u32>; // four elements

fn bits_of(source: Source) -> vec4<u32> {
  return wide_halves(vec4<u32>(source.x & 0xffffu, source.x >> 16u, source.y & 0xffffu, source.y >> 16u));
}

fn source_of(bits: vec4<u32>) -> Source {
  return packed_halves(bits);
}
