// lib rows_turned: K is turned by its position before it is stored, and q as it is loaded: all elements of a row, by halves (RoPE),
// in steps of one position.
//
// in   turns  as lib turn_of reads them, two pairs to a vec4
// consts ROPE_LOW

@group(0) @binding(13) var<storage, read> turns: array<vec4<f32>>;

struct Turn {
  cosine: vec4<f32>,
  sine: vec4<f32>,
}

alias LaneTurns = array<Turn, K_LANE_VEC4S>;

const HALF_D4 = D4 / 2u;

fn k_prepared(source: u32, i: u32, position: u32) -> vec4<u32> {
  return turned(k_fresh[source + i], k_fresh[source + (i + HALF_D4) % D4], turn_at(position, i));
}

// The turns of the invocation's words of q.
fn lane_turns(work: Work, at: Lane) -> LaneTurns {
  var all = LaneTurns();
  for (var w = 0u; w < K_LANE_WORDS; w++) { // unroll
    for (var i = 0u; i < K_WORD_VEC4S; i++) { // unroll
      all[w * K_WORD_VEC4S + i] = turn_at(work.kv_len - 1u, min((at.lane + w * LANES) * K_WORD_VEC4S + i, D4 - 1u));
    }
  }
  return all;
}

fn turned_query(row: u32, i: u32, turn: Turn) -> vec4<f32> {
  let mine = bitcast<vec4<u32>>(query_vec4(row + i));
  return bitcast<vec4<f32>>(turned(mine, bitcast<vec4<u32>>(query_vec4(row + (i + HALF_D4) % D4)), turn));
}

// Of a row's i-th vec4.
fn turn_at(position: u32, i: u32) -> Turn {
  let pair = i % HALF_D4 * 2u;
  let low = position % ROPE_LOW * D4 + pair;
  let high = (ROPE_LOW + position / ROPE_LOW) * D4 + pair;
  let first = product_of(turns[high], turns[low]);
  let second = product_of(turns[high + 1u], turns[low + 1u]);
  let sine = vec4<f32>(first.yw, second.yw);
  return Turn(vec4<f32>(first.xz, second.xz), select(-sine, sine, i >= HALF_D4));
}

// Of two complex numbers each.
fn product_of(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
  let real = a.xz * b.xz - a.yw * b.yw;
  let imaginary = a.xz * b.yw + a.yw * b.xz;
  return vec4<f32>(real.x, imaginary.x, real.y, imaginary.y);
}

fn turned(mine: vec4<u32>, partner: vec4<u32>, turn: Turn) -> vec4<u32> {
  let result = bitcast<vec4<f32>>(mine) * turn.cosine + bitcast<vec4<f32>>(partner) * turn.sine;
  let finite = max(mine & vec4<u32>(0x7fffffffu), partner & vec4<u32>(0x7fffffffu)) < vec4<u32>(INFINITY_BITS);
  return select(vec4<u32>(NAN_BITS), bitcast<vec4<u32>>(result), finite);
}
