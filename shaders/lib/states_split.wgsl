// lib states_split: the partial states of a step's items: (o, m, l), o not yet divided by l. Sequences that are one item
// have their output already.
// in   partial [states, Hkv * ROWS, Dv/4 + 1] vec4   o; then m, l and two zeros
//      step    Step, lib step
// grid (Hkv * ROWS, B, 1)
// consts Q_LEN

@group(0) @binding(0) var<storage, read> partial: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> step: Step;

fn states_of(group: vec3<u32>, groups: vec3<u32>) -> States {
  let sequence = sequence_of(group.y);
  let row = group.x + group.y * groups.x;
  let first = sequence.first_state * groups.x + group.x;
  return States(row, group.x / Q_LEN, sequence.num_splits > 1u, sequence.num_splits, first, groups.x);
}

fn state_ml(at: u32) -> vec2<f32> {
  return partial[at * (D4 + 1u) + D4].xy;
}

fn state_o(at: u32, i: u32) -> vec4<f32> {
  return partial[at * (D4 + 1u) + i];
}
