// lib sums_one: sums of products in one place: for many rows, whose sums would not fit registers otherwise.

alias Sum = f32;

fn added(sum: Sum, a: vec4<f32>, b: vec4<f32>) -> Sum {
  return sum + dot(a, b);
}

fn total(sum: Sum) -> f32 {
  return sum;
}
