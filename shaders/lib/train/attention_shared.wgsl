// lib attention_shared: how attention's backward pass is dealt out on a GPU: a workgroup owns BLOCK rows or keys and walks along the others
// in tiles of TILE.
//
// An invocation has OWNED of the block by WALKED of a tile, and of the sums OWNED by PARTS vec4s: a team of COLUMNS invocations shares what
// is owned. Factors go from the first to the latter by way of workgroup memory, and rows come through it in slices of SLICE vec4s.
//
// consts OWNED WALKED COLUMNS TEAMS PARTS SLICE KINDS (of gradients: 1 or 2)
// libs attention_rows; the kernel's functions

const WG_SIZE = TEAMS * COLUMNS;
const BLOCK = TEAMS * OWNED;
const TILE = COLUMNS * WALKED;
const STRIDE = SLICE | 1u; // odd, so that neighbours meet different banks
const LAST_KIND = (KINDS - 1u) * TILE * BLOCK;

alias Products = array<array<f32, WALKED>, OWNED>;
alias Sums = array<array<array<vec4<f32>, PARTS>, OWNED>, KINDS>;

var<workgroup> kept: array<f32, KINDS * TILE * BLOCK>; // [kind][tile][block]
var<workgroup> owned_slice: array<vec4<f32>, BLOCK * STRIDE>;
var<workgroup> walked_slice: array<vec4<f32>, TILE * STRIDE>;

fn place_of(workgroup: u32, lane: u32) -> Place {
  let blocks = (owned_count() + BLOCK - 1u) / BLOCK;
  let head = workgroup / blocks;
  // Heads that there are not have no rows.
  return place_in(head, select(owned_count(), workgroup % blocks * BLOCK, head < heads()));
}

// The invocation's r-th of the block, its w-th of the tile and its p-th vec4 of a row.
fn owned(lane: u32, r: u32) -> u32 {
  return lane / COLUMNS * OWNED + r;
}

fn walked(lane: u32, w: u32) -> u32 {
  return w * COLUMNS + lane % COLUMNS;
}

fn part(lane: u32, p: u32) -> u32 {
  return p * COLUMNS + lane % COLUMNS;
}

fn run(place: Place, begin: u32, end: u32, lane: u32) {
  var sums = Sums();
  for (var first = begin; first < end; first += TILE) { // bounded
    keep_factors(place, first, lane);
    workgroupBarrier(); // factors are there; the barriers of the next products see to it that they are used
    for (var kind = 0u; kind < KINDS; kind++) { // unroll
      mix(place, first, min(opaque_count(TILE), end - first), kind, lane, &sums);
    }
  }
  for (var kind = 0u; kind < KINDS; kind++) { // unroll
    write(place, kind, lane, &sums);
  }
}

// A count that compilers cannot know: there are fewer than 2^31 sequences. They would write short loops out, and run out of registers.
fn opaque_count(count: u32) -> u32 {
  return count + (numbers.batch >> 31u);
}

// Both products come first: what else a row has would take registers all along.
fn keep_factors(place: Place, first: u32, lane: u32) {
  let scores = products(place, first, OF_SCORES, lane);
  let of_values = products(place, first, OF_VALUES, lane);
  for (var r = 0u; r < OWNED; r++) { // unroll
    for (var w = 0u; w < WALKED; w++) { // unroll
      let pair = pair_of(place.first + owned(lane, r), first + walked(lane, w));
      let figure = figure_of(place, pair.row);
      let weight = weight_of(pair, scores[r][w], lse[figure]);
      let at = walked(lane, w) * BLOCK + owned(lane, r);
      kept[LAST_KIND + at] = weight;
      kept[at] = gradient_of(weight, of_values[r][w], delta[figure]);
    }
  }
}

fn products(place: Place, first: u32, which: u32, lane: u32) -> Products {
  var sums = Products();
  for (var begin = 0u; begin < numbers.fours; begin += SLICE) { // bounded
    workgroupBarrier(); // the slices before are used
    stage(place, first, which, begin, lane);
    workgroupBarrier(); // the slices are there
    let count = min(opaque_count(SLICE), numbers.fours - begin);
    for (var i = 0u; i < count; i++) { // bounded
      var fours = array<vec4<f32>, WALKED>();
      for (var w = 0u; w < WALKED; w++) { // unroll
        fours[w] = walked_slice[walked(lane, w) * STRIDE + i];
      }
      for (var r = 0u; r < OWNED; r++) { // unroll
        let four = owned_slice[owned(lane, r) * STRIDE + i];
        for (var w = 0u; w < WALKED; w++) { // unroll
          sums[r][w] += dot(four, fours[w]);
        }
      }
    }
  }
  return sums;
}

fn stage(place: Place, first: u32, which: u32, begin: u32, lane: u32) {
  for (var n = lane; n < BLOCK * SLICE; n += WG_SIZE) { // bounded
    let start = owned_start(place, place.first + n / SLICE);
    owned_slice[n / SLICE * STRIDE + n % SLICE] = owned_at(which, start + min(begin + n % SLICE, numbers.fours - 1u));
  }
  for (var n = lane; n < TILE * SLICE; n += WG_SIZE) { // bounded
    let start = walked_start(place, first + n / SLICE);
    walked_slice[n / SLICE * STRIDE + n % SLICE] = walked_at(which, start + min(begin + n % SLICE, numbers.fours - 1u));
  }
}

fn mix(place: Place, first: u32, count: u32, kind: u32, lane: u32, sums: ptr<function, Sums>) {
  for (var t = 0u; t < count; t++) { // bounded
    let start = walked_start(place, first + t);
    for (var p = 0u; p < PARTS; p++) { // unroll
      let four = walked_at(kind, start + min(part(lane, p), numbers.fours - 1u));
      for (var r = 0u; r < OWNED; r++) { // unroll
        (*sums)[kind][r][p] += kept[(kind * TILE + t) * BLOCK + owned(lane, r)] * four;
      }
    }
  }
}

fn write(place: Place, kind: u32, lane: u32, sums: ptr<function, Sums>) {
  for (var r = 0u; r < OWNED; r++) { // unroll
    let own = place.first + owned(lane, r);
    for (var p = 0u; p < PARTS; p++) { // unroll
      if is_owned(own) && part(lane, p) < numbers.fours {
        d_qkv[gradient_to(place, own, kind) + part(lane, p)] = (*sums)[kind][r][p];
      }
    }
  }
}
