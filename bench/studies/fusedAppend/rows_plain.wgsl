// lib rows_plain: K is stored as it comes.

fn k_prepared(source: u32, i: u32, position: u32) -> vec4<u32> {
  return k_fresh[source + i];
}
