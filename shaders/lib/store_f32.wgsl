// lib store_f32: writes to a cache of f32 elements. Linked for K and for V, as k_* and v_*; `cache` is the one or the other.

fn store(slot: Slot, scales: u32, x: vec4<f32>) {
  if slot.fresh {
    let at = slot.row * HEAD_DIM + slot.i * 4u;
    let bits = bitcast<vec4<u32>>(x);
    for (var e = 0u; e < 4u; e++) {
      cache[at + e] = bits[e];
    }
  }
}
