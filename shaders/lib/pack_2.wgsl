// lib pack_2: a number of each of two rows, as kernels exchange them through workgroup memory.

const PACK = 2u;

alias Pack = vec2<f32>;

fn packed(x: array<f32, PACK>) -> Pack {
  return Pack(x[0], x[1]);
}

fn unpacked(p: Pack, r: u32) -> f32 {
  return p[r];
}
