// lib raise_max_subgroup: raises a row's maximum to x; each subgroup first agrees on its own maximum, so that one of
// its invocations instead of all touches workgroup memory. Right for any subgroup size and any mapping of invocations
// to subgroups, as long as all invocations of the workgroup call it for the same row.

const_assert QK_PARTS == 1u;

fn raise_max(row: u32, x: f32) {
  let agreed = subgroupMax(x);
  if subgroupElect() {
    atomicMax(&row_max[row], ordered_key(agreed));
  }
}
