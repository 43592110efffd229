// lib states_split: the partial states that decode_split wrote: (o, m, l), o not yet divided by l.
// in   partial_o  [rows, num_splits, D/4] vec4
//      partial_ml [rows, num_splits]      vec2
//      step       Step, lib step

@group(0) @binding(0) var<storage, read> partial_o: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> partial_ml: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> step: Step;

fn num_states() -> u32 {
  return step.num_splits;
}

fn state_ml(row: u32, s: u32) -> vec2<f32> {
  return partial_ml[row * step.num_splits + s];
}

fn state_o(row: u32, s: u32, i: u32) -> vec4<f32> {
  return partial_o[(row * step.num_splits + s) * D4 + i];
}
