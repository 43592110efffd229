// lib merge_shared: SETS sets of Dv/4 invocations share the states of a row, and each reads several at once: a GPU's memory is
// far away. States are taken in tiles, one for each invocation:
//   1. maximum of all states' m, by halves through workgroup memory
//   2. weigh   an invocation writes the weight of one state of the tile: exp(m - maximum), and that times l
//   3. sum     set s adds states s, s + SETS, ... of the tile, LOADS of them asked for before any is used
// then the sets' sums are added.
//
// consts SETS, LOADS

const WG_SIZE = D4 * SETS;

// Weight of an empty state, whose o may be anything: no state's that has keys.
const NO_WEIGHT = -1.0;

const_assert D4 % LOADS == 0u; // so that the last states asked for at once are of the tile too

var<workgroup> lane_m: array<f32, WG_SIZE>;
var<workgroup> weights: array<vec2<f32>, WG_SIZE>; // of the tile's states: of o, and times l
var<workgroup> set_o: array<vec4<f32>, WG_SIZE>;
var<workgroup> set_l: array<f32, WG_SIZE>;

fn merge_states(states: States, lane: u32) -> Merged {
  var own = tile_ml(states, lane);
  var m = own.x;
  for (var s = lane + WG_SIZE; s < states.count; s += WG_SIZE) { // bounded
    m = max(m, tile_ml(states, s).x);
  }
  var merged = Merged(highest(m, lane, min(states.count, WG_SIZE)), 0.0, vec4<f32>());
  for (var first = 0u; first < states.count; first += WG_SIZE) { // bounded
    if first > 0u {
      own = tile_ml(states, first + lane);
    }
    workgroupBarrier(); // nobody reads the weights of the tile before any more
    weights[lane] = weight_of(own, merged.m);
    workgroupBarrier(); // weights of the tile are there
    add_tile(states, first, lane, &merged);
  }
  set_o[lane] = merged.o;
  set_l[lane] = merged.l;
  workgroupBarrier(); // sums of all sets are there
  let i = lane % D4;
  merged.o = set_o[i];
  merged.l = set_l[i];
  for (var at = i + D4; at < WG_SIZE; at += D4) { // bounded
    merged.o += set_o[at];
    merged.l += set_l[at];
  }
  return merged;
}

// m and l of state s of the row; those of the neutral element for an empty one and past the last.
fn tile_ml(states: States, s: u32) -> vec2<f32> {
  let ml = state_ml(states.first + min(s, states.count - 1u) * states.stride);
  return select(vec2<f32>(NEG_MAX, 0.0), ml, s < states.count && ml.y != 0.0);
}

// The highest of what the first `count` invocations have, given to all.
fn highest(x: f32, lane: u32, count: u32) -> f32 {
  lane_m[lane] = x;
  workgroupBarrier(); // those of all invocations are there
  for (var half = half_of(count); half > 0u; half /= 2u) {
    if lane < half && lane + half < count {
      lane_m[lane] = max(lane_m[lane], lane_m[lane + half]);
    }
    workgroupBarrier(); // before the next half reads it
  }
  return lane_m[0];
}

// The largest power of two below `count`, 0 for one.
fn half_of(count: u32) -> u32 {
  return (1u << (32u - countLeadingZeros(count - 1u))) / 2u;
}

fn weight_of(ml: vec2<f32>, m: f32) -> vec2<f32> {
  let weight = exp(ml.x - m);
  return select(vec2<f32>(weight, weight * ml.y), vec2<f32>(NO_WEIGHT, 0.0), ml.y == 0.0);
}

// Adds the invocation's share of a tile's states.
fn add_tile(states: States, first: u32, lane: u32, merged: ptr<function, Merged>) {
  let count = min(states.count - first, WG_SIZE);
  for (var s = lane / D4; s < count; s += LOADS * SETS) { // bounded
    var elements = array<vec4<f32>, LOADS>();
    for (var j = 0u; j < LOADS; j++) { // unroll
      let at = first + min(s + j * SETS, count - 1u);
      elements[j] = state_o(states.first + at * states.stride, lane % D4);
    }
    for (var j = 0u; j < LOADS; j++) { // unroll
      let weight = weights[s + j * SETS];
      (*merged).o += select(elements[j] * weight.x, vec4<f32>(), weight.x == NO_WEIGHT);
      (*merged).l += weight.y;
    }
  }
}
