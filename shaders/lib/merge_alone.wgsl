// lib merge_alone: an invocation merges all states of its four elements by itself: a barrier costs a CPU more than that.

const WG_SIZE = D4;

fn merge_states(states: States, lane: u32) -> Merged {
  var total = vec2<f32>(NEG_MAX, 0.0); // m and l
  for (var s = 0u; s < states.count; s++) { // bounded
    total = merge_ml(total, state_ml(states.first + s * states.stride));
  }
  var sum = vec4<f32>();
  for (var s = 0u; s < states.count; s++) { // bounded
    let ml = state_ml(states.first + s * states.stride);
    if ml.y == 0.0 {
      continue; // an empty state's o is never read: it may be anything
    }
    sum += state_o(states.first + s * states.stride, lane) * exp(ml.x - total.x);
  }
  return Merged(total.x, total.y, sum);
}

fn merge_ml(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  if b.y == 0.0 {
    return a;
  }
  let m = max(a.x, b.x);
  return vec2<f32>(m, a.y * exp(a.x - m) + b.y * exp(b.x - m));
}
