// gather_rows.wgsl: some of the rows, those whose logits are wanted, to other places.
//
// in   x    [rows, X4] f32 as vec4s
//      step ModelStep; its positions are the numbers of the rows wanted, then where they go
// out  y    [rows, X4] f32 as vec4s
// grid (X4 / WG_SIZE rounded up, rows wanted, 1); an invocation owns four elements
// consts X4 WG_SIZE
// libs model_step

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> step: ModelStep;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if id.x < X4 {
    y[step.positions[step.rows + id.y] * X4 + id.x] = x[step.positions[id.y] * X4 + id.x];
  }
}
