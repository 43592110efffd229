// lib sums_four: sums of products in four places, which do not wait for each other: for few rows.

alias Sum = vec4<f32>;

fn added(sum: Sum, a: vec4<f32>, b: vec4<f32>) -> Sum {
  return sum + a * b;
}

fn total(sum: Sum) -> f32 {
  return sum.x + sum.y + (sum.z + sum.w);
}
