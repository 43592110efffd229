// lib states_finished: whole results as states: (o, lse) is the state (o, m = lse, l = 1).
// in   states_o   [NUM_STATES, rows, Dv/4] vec4  attention outputs, divided
//      states_lse [NUM_STATES, rows]      f32    their natural log-sum-exp; at or below LSE_EMPTY: weight 0; NaN or infinite: so is the row
// grid (rows, 1, 1)
// consts NUM_STATES NUM_ROWS

@group(0) @binding(0) var<storage, read> states_o: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> states_lse: array<f32>;

// As bits: a compiler may assume that there are none.
const INFINITY = 0x7f800000u;
const MINUS_INFINITY = 0xff800000u;

fn states_of(group: vec3<u32>, groups: vec3<u32>) -> States {
  return States(group.x * D4, group.x, 0u, true, NUM_STATES, group.x, NUM_ROWS);
}

fn state_ml(at: u32) -> vec2<f32> {
  let bits = bitcast<u32>(states_lse[at]);
  let empty = bits >= bitcast<u32>(LSE_EMPTY) && bits <= MINUS_INFINITY;
  let bad = (bits & 0x7fffffffu) >= INFINITY && bits != MINUS_INFINITY;
  return vec2<f32>(select(bitcast<f32>(bits), BAD_SCORE, bad), select(1.0, 0.0, empty));
}

fn state_o(at: u32, i: u32) -> vec4<f32> {
  return states_o[at * D4 + i];
}
