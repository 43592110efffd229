// lib store_int4: writes to a cache of 4-bit integers, eight to a u32, with an f16 scale for every 32 elements: the one of
// the largest magnitude is -8. Linked for K and for V, as k_* and v_*; `cache` is the one or the other.

const ROW_U32S = ((HEAD_DIM + 31u) / 32u) * 4u;
const ROW_SCALES = ((HEAD_DIM + 31u) / 32u + 1u) / 2u; // in u32s, two scales each

var<workgroup> largest: array<f32, WG_SIZE>; // of each vec4, with its sign
var<workgroup> halves: array<u32, WG_SIZE>;  // each vec4's scale, as f16 bits
var<workgroup> nibbles: array<u32, WG_SIZE>;

fn store(slot: Slot, scales: u32, x: vec4<f32>) {
  let low = select(x.y, x.x, abs(x.x) >= abs(x.y));
  let high = select(x.w, x.z, abs(x.z) >= abs(x.w));
  largest[slot.lane] = select(high, low, abs(low) >= abs(high));
  workgroupBarrier(); // the largest of all vec4s are there
  let first = slot.lane - slot.i % 8u;
  let count = min(8u, HEAD_DIM / 4u - (slot.i - slot.i % 8u));
  var most = 0.0;
  for (var i = 0u; i < count; i++) {
    let other = largest[first + i];
    most = select(most, other, abs(other) > abs(most));
  }
  halves[slot.lane] = pack2x16float(vec2<f32>(clamp(most / -8.0, -65504.0, 65504.0), 0.0));
  workgroupBarrier(); // scales are there
  // From memory: Mesa takes what is unpacked right after it was packed for the number itself, not rounded.
  let scale = unpack2x16float(halves[slot.lane]).x;
  let values = clamp(round(x / select(1.0, scale, scale != 0.0)), vec4<f32>(-8.0), vec4<f32>(7.0));
  let four = vec4<u32>(select(vec4<f32>(), values, scale != 0.0) + vec4<f32>(8.0));
  nibbles[slot.lane] = four.x | (four.y << 4u) | (four.z << 8u) | (four.w << 12u);
  workgroupBarrier(); // nibbles are there
  if slot.fresh && slot.i % 2u == 0u {
    cache[slot.row * ROW_U32S + slot.i / 2u] = nibbles[slot.lane] | (nibbles[slot.lane + 1u] << 16u);
  }
  if slot.fresh && slot.i % 16u == 0u {
    let has_next = slot.i + 8u < HEAD_DIM / 4u;
    let next = select(0u, halves[min(slot.lane + 8u, WG_SIZE - 1u)], has_next);
    cache[scales + slot.row * ROW_SCALES + slot.i / 16u] = halves[slot.lane] | (next << 16u);
  }
}
