// sample.wgsl: the next token of each row: the one with the greatest logit, or one drawn by probability.
//
// Drawing keeps the tokens from a threshold of the logits on, which is found by halving the range of their bits: the greatest that
// leaves top_k of them, then the greatest that leaves top_p of what those weigh. Tokens that tie with the last one stay.
//
// in   logits  [rows, LOGITS] f32
//      step    ModelStep
// out  ids     [rows] u32, where the next step reads them
//      results [slots, RESULT_ROWS] u32; slot `step.slot` is written; VOCAB, no token, where a logit is not finite
// grid (rows, 1, 1); a workgroup owns a row
// consts VOCAB LOGITS RESULT_ROWS WG_SIZE GREEDY
// libs model_step, numbers

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> step: ModelStep;
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> results: array<u32>;

var<workgroup> values: array<f32, WG_SIZE>;
var<workgroup> places: array<u32, WG_SIZE>;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group.x * LOGITS;
  var best = NEG_MAX;
  var place = VOCAB;
  for (var i = lane; i < VOCAB; i += WG_SIZE) { // bounded
    // One that is no number is the greatest, and its token none.
    let logit = kept_score(logits[first + i], true);
    if logit == BAD_SCORE {
      best = logit;
      place = VOCAB;
    } else if logit > best {
      best = logit;
      place = i;
    }
  }
  values[lane] = best;
  places[lane] = place;
  workgroupBarrier();
  for (var half = WG_SIZE / 2u; half > 0u; half /= 2u) {
    if lane < half {
      let other = values[lane + half];
      // Of equal ones the first token.
      if other > values[lane] || (other == values[lane] && places[lane + half] < places[lane]) {
        values[lane] = other;
        places[lane] = places[lane + half];
      }
    }
    workgroupBarrier();
  }
  let most = values[0];
  let greatest = places[0];
  workgroupBarrier();
  var chosen = greatest;
  if !GREEDY {
    chosen = drawn(first, group.x, lane, most);
  }
  if lane == 0u {
    ids[group.x] = min(chosen, VOCAB - 1u);
    results[step.slot * RESULT_ROWS + group.x] = select(chosen, VOCAB, greatest >= VOCAB);
  }
}

fn drawn(first: u32, row: u32, lane: u32, most: f32) -> u32 {
  // So cold that only the greatest are left; a smaller one has no finite inverse.
  let cold = 1.0 / max(step.temperature, 1e-30);
  var threshold = 0u;
  if step.top_k > 0u && step.top_k < VOCAB {
    threshold = least_key(first, lane, most, cold, threshold, f32(step.top_k), true);
  }
  let mass = mass_from(first, lane, most, cold, threshold, false);
  if step.top_p < 1.0 {
    threshold = least_key(first, lane, most, cold, threshold, step.top_p * mass, false);
  }
  return pick(first, lane, most, cold, threshold, random(row));
}

// The greatest key from which on tokens come to `wanted`: in number or in weight.
fn least_key(first: u32, lane: u32, most: f32, cold: f32, from_key: u32, wanted: f32, counted: bool) -> u32 {
  var low = from_key;
  var high = key_of(most);
  for (var bit = 0u; bit < 32u; bit++) {
    let middle = low + (high - low) / 2u + ((high - low) & 1u);
    if mass_from(first, lane, most, cold, middle, counted) >= wanted {
      low = middle;
    } else {
      high = max(middle, low + 1u) - 1u;
    }
  }
  return low;
}

// What the tokens from a key on weigh, or their number; the same for the whole workgroup.
fn mass_from(first: u32, lane: u32, most: f32, cold: f32, key: u32, counted: bool) -> f32 {
  var sum = 0.0;
  for (var i = lane; i < VOCAB; i += WG_SIZE) { // bounded
    let logit = logits[first + i];
    sum += select(0.0, select(exp((logit - most) * cold), 1.0, counted), key_of(logit) >= key);
  }
  values[lane] = sum;
  workgroupBarrier();
  for (var half = WG_SIZE / 2u; half > 0u; half /= 2u) {
    if lane < half {
      values[lane] += values[lane + half];
    }
    workgroupBarrier();
  }
  let all = values[0];
  workgroupBarrier();
  return all;
}

// The token at a share of the weight, tokens in the order of their ids. Each invocation has a run of them.
fn pick(first: u32, lane: u32, most: f32, cold: f32, key: u32, share: f32) -> u32 {
  let run = (VOCAB + WG_SIZE - 1u) / WG_SIZE;
  let end = min((lane + 1u) * run, VOCAB);
  var sum = 0.0;
  for (var i = lane * run; i < end; i++) { // bounded
    sum += weight_of(logits[first + i], most, cold, key);
  }
  values[lane] = sum;
  places[lane] = VOCAB;
  workgroupBarrier();
  if lane == 0u {
    var before = 0.0;
    for (var l = 0u; l < WG_SIZE; l++) {
      let own = values[l];
      values[l] = before;
      before += own;
    }
    let wanted = share * before;
    var chosen = 0u;
    for (var l = 0u; l < WG_SIZE; l++) {
      chosen = select(chosen, l, values[l] <= wanted);
    }
    var left = wanted - values[chosen];
    var id = VOCAB;
    for (var i = chosen * run; i < min((chosen + 1u) * run, VOCAB); i++) { // bounded
      let weight = weight_of(logits[first + i], most, cold, key);
      if weight > 0.0 && left >= 0.0 {
        id = i; // the last one that begins before the share
      }
      left -= weight;
    }
    places[0] = id;
  }
  workgroupBarrier();
  return places[0];
}

fn weight_of(logit: f32, most: f32, cold: f32, key: u32) -> f32 {
  return select(0.0, exp((logit - most) * cold), key_of(logit) >= key);
}

// Whole numbers in the order of the numbers that they are made of; both zeros have one.
fn key_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, 0u - bits, bits >= 0x80000000u);
}

// From 0 to 1, by the seed, the row and the token's position (PCG: O'Neill 2014, as Jarzynski and Olano 2020 use it).
fn random(row: u32) -> f32 {
  let mixed = hashed(hashed(hashed(step.seed) + row) + step.positions[row]);
  return f32(mixed >> 8u) / 16777216.0;
}

fn hashed(value: u32) -> u32 {
  let state = value * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}
