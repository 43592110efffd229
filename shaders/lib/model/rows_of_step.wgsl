// lib rows_of_step: a pass has as many rows as its step says.
// in   step ModelStep

@group(0) @binding(2) var<storage, read> step: ModelStep;

fn pass_rows() -> u32 {
  return step.rows;
}
