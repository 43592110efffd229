// lib goal_teacher: the goal of a row is the softmax of a teacher's logits: the loss is how far the row's own is from it, KL(teacher || student).

@group(0) @binding(3) var<storage, read> teacher: array<vec4<f32>>; // [rows, stride]

// The row's first vec4.
fn goal_of(row: u32, first: u32) -> u32 {
  return first;
}

fn counts(goal: u32) -> bool {
  return true;
}

fn goal_greatest(goal: u32, i: u32) -> f32 {
  return greatest(teacher[goal + i], i);
}

// Sums of the teacher's weights, and of their products with how much higher above its own maximum the teacher has a token.
fn goal_sums(goal: u32, i: u32, distances: vec4<f32>, most: f32) -> vec2<f32> {
  let own = teacher[goal + i] - most;
  let visible = shown(i);
  let weights = select(vec4<f32>(), exp(own), visible);
  return vec2<f32>(total(weights), dot(weights, select(vec4<f32>(), own - distances, visible)));
}

fn goal_four(goal: u32, i: u32, most: f32, sum: f32) -> vec4<f32> {
  return exp(teacher[goal + i] - most) / sum;
}

fn loss_of(sums: vec3<f32>) -> f32 {
  return sums.z / sums.y + (log(sums.x) - log(sums.y));
}
