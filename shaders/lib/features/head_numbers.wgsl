// lib head_numbers: what a layer has for each query head, and where its bias lies.
//
// consts NUM_Q_HEADS

@group(0) @binding(8) var<uniform> head_numbers: HeadNumbers;

struct HeadNumbers {
  bias_strides: vec4<u32>, // from one sequence, head, position and key to the next; 0 where all have the same
  heads: array<vec4<f32>, NUM_Q_HEADS>, // sink logit, ALiBi slope, two zeros
}
