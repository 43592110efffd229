// lib train_step: what is different from one training step to the next.

struct TrainStep {
  slot: u32,          // which of the figures of several steps are this one's
  losses: u32,        // rows that have one
  counted: f32,       // rows that the mean of the losses divides by
  rate: f32,
  weight_decay: f32,
  clip: f32,          // the greatest norm that gradients keep; 0: any
  correction1: f32,   // 1 - beta1^t of the optimiser's t-th step, from 1 on
  correction2: f32,
}
