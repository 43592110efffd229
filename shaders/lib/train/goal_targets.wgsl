// lib goal_targets: the goal of a row is its wanted token; a number beyond the vocabulary for none.

@group(0) @binding(3) var<storage, read> targets: array<u32>; // [rows]

fn goal_of(row: u32, first: u32) -> u32 {
  return targets[row];
}

fn counts(goal: u32) -> bool {
  return goal < numbers.vocab;
}

fn goal_greatest(goal: u32, i: u32) -> f32 {
  return NEG_MAX;
}

// How far the wanted token is below the maximum, for the vec4 that has it.
fn goal_sums(goal: u32, i: u32, distances: vec4<f32>, most: f32) -> vec2<f32> {
  return vec2<f32>(0.0, total(select(vec4<f32>(), distances, columns_of(i) == vec4<u32>(goal))));
}

fn goal_four(goal: u32, i: u32, most: f32, sum: f32) -> vec4<f32> {
  return select(vec4<f32>(), vec4<f32>(1.0), columns_of(i) == vec4<u32>(goal));
}

fn loss_of(sums: vec3<f32>) -> f32 {
  return log(sums.x) - sums.z;
}
