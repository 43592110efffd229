// column_sums.wgsl: sums over some of the rows of each column: of gradients, those of a bias.
//
// in   d_y     [rows, stride] f32 as vec4s, of which columns `first` and on are summed
//      numbers ColumnSumsNumbers
// out  sums    [parts, width] f32 as vec4s: sums over the rows of each part, in their order
// grid (width / 4 / WG_SIZE rounded up, parts, 1); an invocation owns four columns of a part
// consts WG_SIZE

struct ColumnSumsNumbers {
  rows: u32,
  width: u32,
  parts: u32,
  stride: u32, // elements from a row to the next
  first: u32,
}

@group(0) @binding(0) var<storage, read> d_y: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> numbers: ColumnSumsNumbers;

@compute @workgroup_size(WG_SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let fours = numbers.width / 4u;
  if id.x >= fours {
    return;
  }
  let share = (numbers.rows + numbers.parts - 1u) / numbers.parts;
  let end = min((id.y + 1u) * share, numbers.rows);
  var sum = vec4<f32>();
  for (var row = id.y * share; row < end; row++) { // bounded
    sum += d_y[(row * numbers.stride + numbers.first) / 4u + id.x];
  }
  sums[id.y * fours + id.x] = sum;
}
