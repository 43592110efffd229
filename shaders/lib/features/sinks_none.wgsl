// lib sinks_none: a row's sum is that of its keys.

// m and l of a finished row, and what its o is multiplied by.
fn with_sink(m: f32, l: f32, head: u32) -> vec3<f32> {
  return vec3<f32>(m, l, 1.0);
}
