// step_figures.wgsl: the figures of a training step: the mean of its losses, and the norm of its gradients.
//
// in   losses  [step.losses] f32
//      sums    [parts] f32: sums of squares of gradients
//      step    TrainStep
//      numbers StepFiguresNumbers
// out  figures [slots] vec2 of f32: slot `step.slot` gets the mean and the norm; NaN where one of the numbers behind it is not finite
// grid (1, 1, 1)
// consts WG_SIZE
// libs finite_sums, train_step

struct StepFiguresNumbers {
  parts: u32,
}

@group(0) @binding(0) var<storage, read> losses: array<f32>;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> step: TrainStep;
@group(0) @binding(3) var<storage, read_write> figures: array<vec2<f32>>;
@group(0) @binding(4) var<uniform> numbers: StepFiguresNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(local_invocation_index) lane: u32) {
  var loss = 0.0;
  var loss_bits = 0u;
  for (var i = lane; i < step.losses; i += WG_SIZE) { // bounded
    loss += losses[i];
    loss_bits = max(loss_bits, magnitude_bits(losses[i]));
  }
  var squares = 0.0;
  var square_bits = 0u;
  for (var i = lane; i < numbers.parts; i += WG_SIZE) { // bounded
    squares += sums[i];
    square_bits = max(square_bits, magnitude_bits(sums[i]));
  }
  let all_losses = finite_sum(lane, loss, loss_bits);
  let all_squares = finite_sum(lane, squares, square_bits);
  if lane == 0u {
    figures[step.slot] = vec2<f32>(all_losses / step.counted, sqrt(all_squares));
  }
}
