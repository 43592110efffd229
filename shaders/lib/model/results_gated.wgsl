// lib results_gated: the activation of the gate times the other matrix's sum.

fn activated(gate: f32, up: f32) -> f32 {
  return act(gate) * up;
}
