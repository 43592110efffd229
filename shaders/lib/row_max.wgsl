// lib row_max: the running maximum of each query row over a whole workgroup, in workgroup memory.
//
// consts ROW_BLOCK
// libs   numbers
// A maximum does not depend on the order of its operands, so atomics keep the result deterministic.

var<workgroup> row_max: array<atomic<u32>, ROW_BLOCK>; // as ordered_key, so that u32 order is f32 order

fn ordered_key(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn from_ordered_key(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}

fn clear_max(row: u32) {
  atomicStore(&row_max[row], ordered_key(NEG_MAX));
}

fn raise_max(row: u32, x: f32) {
  atomicMax(&row_max[row], ordered_key(x));
}

fn max_so_far(row: u32) -> f32 {
  return from_ordered_key(atomicLoad(&row_max[row]));
}
