// lib pack_1: a number of each of one row, as kernels exchange them through workgroup memory.

const PACK = 1u;

alias Pack = f32;

fn packed(x: array<f32, PACK>) -> Pack {
  return x[0];
}

fn unpacked(p: Pack, r: u32) -> f32 {
  return p;
}
