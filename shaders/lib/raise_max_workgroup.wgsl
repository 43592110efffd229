// lib raise_max_workgroup: raises a row's maximum to x, without subgroups.

fn raise_max(row: u32, x: f32) {
  atomicMax(&row_max[row], ordered_key(x));
}
