// lib turned_vec4: turns four elements at once by what their partners are. A pair with NaN or infinity becomes NaN.
//
// in   turns  as lib turn_of reads them, two pairs to a vec4
// consts ROTARY_DIM ROPE_LOW

@group(0) @binding(7) var<storage, read> turns: array<vec4<f32>>;

const ROTARY_VEC4S = ROTARY_DIM / 4u;

// The turns of two pairs at a position: cosine, sine, cosine, sine.
fn two_turns(position: u32, at: u32) -> vec4<f32> {
  let low = turns[position % ROPE_LOW * ROTARY_VEC4S + at];
  let high = turns[(ROPE_LOW + position / ROPE_LOW) * ROTARY_VEC4S + at];
  let real = high.xz * low.xz - high.yw * low.yw;
  let imaginary = high.xz * low.yw + high.yw * low.xz;
  return vec4<f32>(real.x, imaginary.x, real.y, imaginary.y);
}

// Partners are read from where they lie: nobody shares a row.
fn share(bits: vec4<u32>, lane: u32) {}

fn turned_vec4(bits: vec4<u32>, partner: vec4<u32>, cosine: vec4<f32>, sine: vec4<f32>) -> vec4<u32> {
  let result = bitcast<vec4<f32>>(bits) * cosine + bitcast<vec4<f32>>(partner) * sine;
  let finite = max(bits & vec4<u32>(0x7fffffffu), partner & vec4<u32>(0x7fffffffu)) < vec4<u32>(INFINITY_BITS);
  return select(vec4<u32>(NAN_BITS), bitcast<vec4<u32>>(result), finite);
}
