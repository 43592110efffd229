// lib states_split: the partial states of a step's items: (o, m, l), o not yet divided by l. Sequences that are one item
// have their output already.
// in   partial_o  [states, Hkv * ROWS, D/4] vec4
//      partial_ml [states, Hkv * ROWS]      vec2
//      step       Step, lib step
// grid (Hkv * ROWS, B, 1)

@group(0) @binding(0) var<storage, read> partial_o: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> partial_ml: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> step: Step;

fn states_of(group: vec3<u32>, groups: vec3<u32>) -> States {
  let sequence = step.table[group.y];
  let row = group.x + group.y * groups.x;
  return States(row, sequence.z > 1u, sequence.z, sequence.y * groups.x + group.x, groups.x);
}

fn state_ml(at: u32) -> vec2<f32> {
  return partial_ml[at];
}

fn state_o(at: u32, i: u32) -> vec4<f32> {
  return partial_o[at * D4 + i];
}
