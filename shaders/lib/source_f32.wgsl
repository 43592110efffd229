// lib source_f32: rows that an append reads are f32: their bits as they are. Linked for k, v and q, as k_*, v_* and q_*.

alias Source = vec4<u32>; // four elements

fn bits_of(source: Source) -> vec4<u32> {
  return source;
}

fn source_of(bits: vec4<u32>) -> Source {
  return bits;
}
