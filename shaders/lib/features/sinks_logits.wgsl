// lib sinks_logits: the sum of each finished row has one more term, of the head's sink logit, which has no value.
//
// libs head_numbers

// m and l of a finished row with its sink, and what its o is multiplied by. A row without keys has the sink alone.
fn with_sink(m: f32, l: f32, head: u32) -> vec3<f32> {
  let sink = head_numbers.heads[head].x;
  let most = select(max(m, sink), sink, l == 0.0);
  let shrink = select(exp(m - most), 0.0, l == 0.0);
  return vec3<f32>(most, l * shrink + exp(sink - most), shrink);
}
