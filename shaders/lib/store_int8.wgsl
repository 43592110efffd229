// lib store_int8: writes to a cache of 8-bit integers, four to a u32, with an f16 scale for each row: its largest magnitude
// is 127. Linked for K and for V, as k_* and v_*; `cache` is the one or the other.

var<workgroup> largest: array<f32, WG_SIZE>;
var<workgroup> half_of: array<u32, 2>; // the scales of the two slots, as f16 bits

fn store(slot: Slot, scales: u32, x: vec4<f32>) {
  let high = max(abs(x.xy), abs(x.zw));
  largest[slot.lane] = max(high.x, high.y);
  workgroupBarrier(); // largest magnitudes of all vec4s are there
  let first = slot.lane - slot.i;
  var most = 0.0;
  for (var i = 0u; i < HEAD_DIM / 4u; i++) {
    most = max(most, largest[first + i]);
  }
  let half_bits = pack2x16float(vec2<f32>(min(most / 127.0, 65504.0), 0.0));
  let number = slot.lane / (HEAD_DIM / 4u);
  let at = scales + slot.scale_row / 2u;
  if slot.i == 0u {
    let old = (cache[at] >> (16u * (slot.scale_row % 2u))) & 0xffffu;
    half_of[number] = select(old, half_bits, slot.fresh);
  }
  workgroupBarrier(); // both scales are there, the old one read
  if slot.lane == 0u {
    cache[at] = half_of[0] | (half_of[1] << 16u);
  }
  if slot.fresh {
    // From memory: Mesa takes what is unpacked right after it was packed for the number itself, not rounded.
    let scale = unpack2x16float(half_of[number]).x;
    let values = clamp(round(x / select(1.0, scale, scale > 0.0)), vec4<f32>(-127.0), vec4<f32>(127.0));
    let bytes = vec4<u32>(select(vec4<f32>(), values, scale > 0.0) + vec4<f32>(128.0));
    cache[slot.row * (HEAD_DIM / 4u) + slot.i] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
  }
}
