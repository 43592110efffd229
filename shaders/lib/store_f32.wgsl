// lib store_f32: writes to a cache of f32 elements, bit for bit. Subnormal numbers count as vanished: a device may read them
// as zero. Linked for K and for V, as k_* and v_*; `cache` is the one or the other.

fn store(slot: Slot, scales: u32, bits: vec4<u32>) -> Lost {
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  if slot.fresh {
    let at = slot.row * ROW_DIM + slot.i * 4u;
    for (var e = 0u; e < 4u; e++) {
      cache[at + e] = bits[e];
    }
  }
  return lost_of(magnitude, INFINITY_BITS, magnitude < vec4<u32>(LEAST_NORMAL_BITS));
}
