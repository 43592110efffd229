// lib states_split: the partial states of a step's items: (o, m, l), o not yet divided by l. Sequences that are one item
// have their output already.
// in   partial [states, Hkv * step.rows, Dv/4 + 1] vec4   o; then m, l and two zeros
//      step    Step, lib step
// grid (Hq, most query positions of a sequence, B)

@group(0) @binding(0) var<storage, read> partial: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> step: Step;

fn states_of(group: vec3<u32>, groups: vec3<u32>) -> States {
  let sequence = sequence_of(group.z);
  let row = group.y * GROUP_SIZE + group_head_of(group.x);
  let states = groups.x / GROUP_SIZE * step.rows; // from a split to the next
  return States(
    output_place(sequence.o_start, group.x, group.y),
    lse_place(sequence.lse_start, group.x, group.y),
    group.x,
    sequence.num_splits > 1u && group.y < sequence.q_len,
    sequence.num_splits,
    sequence.first_state * states + group.x / GROUP_SIZE * step.rows + row,
    states,
  );
}

fn state_ml(at: u32) -> vec2<f32> {
  return partial[at * (D4 + 1u) + D4].xy;
}

fn state_o(at: u32, i: u32) -> vec4<f32> {
  return partial[at * (D4 + 1u) + i];
}
