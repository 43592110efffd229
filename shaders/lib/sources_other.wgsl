// lib sources_other: rows are copied from another segment of a cache: lib of fork_rows.
//
// in   k_source, v_source  as k_cache and v_cache of fork_rows

@group(0) @binding(4) var<storage, read> k_source: array<u32>;
@group(0) @binding(5) var<storage, read> v_source: array<u32>;

fn k_word(at: u32) -> u32 {
  return k_source[at];
}

fn v_word(at: u32) -> u32 {
  return v_source[at];
}
