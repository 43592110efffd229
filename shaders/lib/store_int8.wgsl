// lib store_int8: writes to a cache of 8-bit integers, four to a u32, with a bf16 scale for each row: its largest magnitude is
// 127 steps. A row with NaN or infinity gets a scale of NaN, so that all of it reads as NaN.
// Linked for K and for V, as k_* and v_*; `cache` is the one or the other. Needs lib steps.

const ROW_U32S = (ROW_DIM + 15u) / 16u * 4u; // the last two may be empty

var<workgroup> largest: array<u32, WG_SIZE>; // magnitudes
var<workgroup> scale_of: array<u32, 2>;      // of the two slots

fn store(slot: Slot, scales: u32, bits: vec4<u32>) -> Lost {
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  let high = max(magnitude.xy, magnitude.zw);
  largest[slot.lane] = max(high.x, high.y);
  workgroupBarrier(); // largest magnitudes of all vec4s are there
  let first = slot.lane - slot.i;
  var most = 0u;
  let count = ROW_DIM / 4u + (step.capacity >> 31u); // unknown to the compiler, which would load all at once, and spill
  for (var i = 0u; i < count; i++) { // bounded
    most = max(most, largest[first + i]);
  }
  let scale = scale_for(most, 127u, 9u);
  let at = scales + slot.scale_row / 2u;
  if slot.i == 0u {
    let old = (cache[at] >> (16u * (slot.scale_row % 2u))) & 0xffffu;
    scale_of[slot.number] = select(old, scale, slot.fresh);
  }
  workgroupBarrier(); // both scales are there, the old one read
  if slot.lane == 0u {
    cache[at] = scale_of[0] | (scale_of[1] << 16u);
  }
  let steps = steps_of(magnitude, scale);
  if slot.fresh {
    let negative = (bits >> vec4<u32>(31u)) == vec4<u32>(1u);
    let bytes = select(vec4<u32>(128u) + steps, vec4<u32>(128u) - steps, negative);
    cache[slot.row * ROW_U32S + slot.i] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
  }
  return lost_of(magnitude, INFINITY_BITS, below_least_scale(steps, scale));
}
