// lib store_int4: writes to a cache of 4-bit integers, eight to a u32, with a bf16 scale for every 32 elements: the largest
// magnitude is 8 steps at the end of the range that has so many; where the other end would need more than its 7, or 8 steps
// are no finite f32, it is 7 steps. A block with NaN or infinity gets a scale of NaN, so that all of it reads as NaN.
// Linked for K and for V, as k_* and v_*; `cache` is the one or the other. Needs lib steps.

const ROW_U32S = ((ROW_DIM + 31u) / 32u) * 4u;
const ROW_SCALES = ((ROW_DIM + 31u) / 32u + 1u) / 2u; // in u32s, two scales each
const LARGEST_OF_EIGHT = 0x7dffu; // 8 steps of a larger scale are infinity

var<workgroup> largest: array<vec2<u32>, WG_SIZE>; // of each vec4: magnitudes of its positive and negative elements
var<workgroup> scale_of: array<u32, WG_SIZE>;      // of each vec4's block
var<workgroup> nibbles: array<u32, WG_SIZE>;

fn store(slot: Slot, scales: u32, bits: vec4<u32>) -> Lost {
  let magnitude = bits & vec4<u32>(0x7fffffffu);
  let negative = (bits >> vec4<u32>(31u)) == vec4<u32>(1u);
  let positives = select(magnitude, vec4<u32>(), negative);
  let negatives = select(vec4<u32>(), magnitude, negative);
  let two = max(vec4<u32>(positives.xy, negatives.xy), vec4<u32>(positives.zw, negatives.zw));
  largest[slot.lane] = max(two.xz, two.yw);
  workgroupBarrier(); // the largest of all vec4s are there
  let first = slot.lane - slot.i % 8u;
  let begin = slot.i - slot.i % 8u;
  let vec4s = min(8u, max(ROW_DIM / 4u, begin) - begin); // none past the row's end
  var ends = vec2<u32>();
  for (var i = 0u; i < vec4s; i++) { // bounded
    ends = max(ends, largest[first + i]);
  }
  let most = max(ends.x, ends.y);
  let of_eight = scale_for(most, 8u, 12u);
  let other = steps_of(vec4<u32>(min(ends.x, ends.y)), of_eight).x;
  let symmetric = other > 7u || of_eight > LARGEST_OF_EIGHT;
  let scale = select(of_eight, scale_for(most, 7u, 13u), symmetric);
  // Eight steps lie below zero: the scale is negative where the largest magnitude is a positive element's.
  let turned = ends.x > ends.y && !symmetric;
  scale_of[slot.lane] = scale | select(0u, 0x8000u, turned);
  let steps = steps_of(magnitude, scale);
  let four = select(vec4<u32>(8u) + steps, vec4<u32>(8u) - steps, negative != vec4<bool>(turned));
  nibbles[slot.lane] = four.x | (four.y << 4u) | (four.z << 8u) | (four.w << 12u);
  workgroupBarrier(); // nibbles and scales are there
  if slot.fresh && slot.i % 2u == 0u {
    cache[slot.row * ROW_U32S + slot.i / 2u] = nibbles[slot.lane] | (nibbles[slot.lane + 1u] << 16u);
  }
  if slot.fresh && slot.i % 16u == 0u {
    let has_next = slot.i + 8u < ROW_DIM / 4u;
    let next = select(0u, scale_of[min(slot.lane + 8u, WG_SIZE - 1u)], has_next);
    cache[scales + slot.row * ROW_SCALES + slot.i / 16u] = scale_of[slot.lane] | (next << 16u);
  }
  return lost_of(magnitude, INFINITY_BITS, below_least_scale(steps, scale));
}
