// adamw.wgsl: a step of AdamW (Loshchilov and Hutter 2019): weight decay beside the gradient, not in it. All parameters lie in one buffer.
//
// A step whose loss, or whose gradients' norm, is not finite changes nothing.
//
// in   gradients  [count] f32 as vec4s
//      figures    [slots] vec2 of f32: slot `step.slot` has the step's loss and the norm of its gradients
//      step       TrainStep
//      numbers    AdamwNumbers
// i/o  parameters [count] f32 as vec4s; what is behind `count` in the last one stays
//      first      the same of the gradients' moving averages, `second` of their squares'
// out  see i/o
// grid (count / 4 / WG_SIZE rounded up, folded into x and y, 1); an invocation owns a vec4
// consts WG_SIZE
// libs train_step

struct AdamwNumbers {
  count: u32,
  decayed: u32, // elements below it decay
  beta1: f32,
  rest1: f32,   // 1 - beta1, which f32 arithmetic would round
  beta2: f32,
  rest2: f32,
  eps: f32,
}

const INFINITY_BITS = 0x7f800000u;

@group(0) @binding(0) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> figures: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> step: TrainStep;
@group(0) @binding(3) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> first: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> second: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> numbers: AdamwNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * WG_SIZE + lane;
  let figure = figures[step.slot];
  let finite = (bitcast<vec2<u32>>(figure) & vec2<u32>(0x7fffffffu)) < vec2<u32>(INFINITY_BITS);
  if 4u * i >= numbers.count || !all(finite) {
    return;
  }
  let gradient = gradients[i] * clip_factor(figure.y);
  let elements = 4u * i + vec4<u32>(0u, 1u, 2u, 3u);
  let counted = elements < vec4<u32>(numbers.count);
  let m = numbers.beta1 * first[i] + numbers.rest1 * gradient;
  let v = numbers.beta2 * second[i] + numbers.rest2 * gradient * gradient;
  let old = parameters[i];
  let decay = select(vec4<f32>(), step.weight_decay * old, elements < vec4<u32>(numbers.decayed));
  let change = m / step.correction1 / (sqrt(v / step.correction2) + numbers.eps) + decay;
  parameters[i] = select(old, old - step.rate * change, counted);
  first[i] = select(first[i], m, counted);
  second[i] = select(second[i], v, counted);
}

// What brings gradients of such a norm down to step.clip.
fn clip_factor(norm: f32) -> f32 {
  let clips = step.clip > 0.0 && norm > step.clip;
  return select(1.0, step.clip / norm, clips);
}
