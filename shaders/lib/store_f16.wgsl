// lib store_f16: writes to a cache of f16 elements, two to a u32. Values past the largest finite half saturate to it: their
// packing would be indeterminate in WGSL. Linked for K and for V, as k_* and v_*; `cache` is the one or the other.

const F16_MAX = vec4<f32>(65504f);

fn store(slot: Slot, scales: u32, x: vec4<f32>) {
  if slot.fresh {
    let at = slot.row * (HEAD_DIM / 2u) + slot.i * 2u;
    let finite = clamp(x, -F16_MAX, F16_MAX);
    cache[at] = pack2x16float(finite.xy);
    cache[at + 1u] = pack2x16float(finite.zw);
  }
}
