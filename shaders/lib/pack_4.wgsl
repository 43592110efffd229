// lib pack_4: a number of each of four rows, as kernels exchange them through workgroup memory.

const PACK = 4u;

alias Pack = vec4<f32>;

fn packed(x: array<f32, PACK>) -> Pack {
  return Pack(x[0], x[1], x[2], x[3]);
}

fn unpacked(p: Pack, r: u32) -> f32 {
  return p[r];
}
