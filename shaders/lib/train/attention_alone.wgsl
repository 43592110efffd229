// lib attention_alone: how attention's backward pass is dealt out on a CPU: each invocation owns SPAN rows or keys, and no other waits for
// it. Loads are what costs there, so that it walks along the others by SPAN too: what it loads serves that many products. Its sums lie in
// d_qkv, since they are more than a compiler keeps in registers, or writes out, in good time.
//
// consts SPAN WG_SIZE KINDS (of gradients: 1 or 2)
// libs attention_rows; the kernel's functions

const BLOCK = SPAN;

alias Products = array<array<f32, SPAN>, SPAN>;

// Neighbours have the same rows of different heads: they walk equally far.
fn place_of(workgroup: u32, lane: u32) -> Place {
  let index = workgroup * WG_SIZE + lane;
  return place_in(index % heads(), index / heads() * BLOCK);
}

fn run(place: Place, begin: u32, end: u32, lane: u32) {
  for (var first = begin; first < end; first += SPAN) { // bounded
    let scores = products(place, first, OF_SCORES);
    let of_values = products(place, first, OF_VALUES);
    var row_lse = array<f32, SPAN>();
    var row_delta = array<f32, SPAN>();
    for (var n = 0u; n < SPAN; n++) { // unroll
      let figure = figure_of(place, pair_of(place.first + n, first + n).row);
      row_lse[n] = lse[figure];
      row_delta[n] = delta[figure];
    }
    var kept = array<Products, KINDS>();
    for (var r = 0u; r < SPAN; r++) { // unroll
      for (var w = 0u; w < SPAN; w++) { // unroll
        let pair = pair_of(place.first + r, first + w);
        let weight = weight_of(pair, scores[r][w], row_lse[row_of(r, w)]);
        kept[KINDS - 1u][r][w] = weight;
        kept[0][r][w] = gradient_of(weight, of_values[r][w], row_delta[row_of(r, w)]);
      }
    }
    for (var kind = 0u; kind < KINDS; kind++) { // unroll
      mix(place, first, kind, first == begin, kept[kind]);
    }
  }
}

fn products(place: Place, first: u32, which: u32) -> Products {
  var rows = array<u32, SPAN>();
  for (var r = 0u; r < SPAN; r++) { // unroll
    rows[r] = owned_start(place, place.first + r);
  }
  var others = array<u32, SPAN>();
  for (var w = 0u; w < SPAN; w++) { // unroll
    others[w] = walked_start(place, first + w);
  }
  var sums = Products();
  for (var i = 0u; i < numbers.fours; i++) { // bounded
    var fours = array<vec4<f32>, SPAN>();
    for (var w = 0u; w < SPAN; w++) { // unroll
      fours[w] = walked_at(which, others[w] + i);
    }
    for (var r = 0u; r < SPAN; r++) { // unroll
      let four = owned_at(which, rows[r] + i);
      for (var w = 0u; w < SPAN; w++) { // unroll
        sums[r][w] += dot(four, fours[w]);
      }
    }
  }
  return sums;
}

// Adds what a tile gives to the sums, which begin with it if it is the first.
fn mix(place: Place, first: u32, kind: u32, begins: bool, factors: Products) {
  var others = array<u32, SPAN>();
  for (var w = 0u; w < SPAN; w++) { // unroll
    others[w] = walked_start(place, first + w);
  }
  var sums = array<u32, SPAN>();
  for (var r = 0u; r < SPAN; r++) { // unroll
    sums[r] = gradient_to(place, place.first + r, kind);
  }
  for (var i = 0u; i < numbers.fours; i++) { // bounded
    var fours = array<vec4<f32>, SPAN>();
    for (var w = 0u; w < SPAN; w++) { // unroll
      fours[w] = walked_at(kind, others[w] + i);
    }
    for (var r = 0u; r < SPAN; r++) { // unroll
      var sum = vec4<f32>();
      for (var w = 0u; w < SPAN; w++) { // unroll
        sum += factors[r][w] * fours[w];
      }
      if is_owned(place.first + r) {
        d_qkv[sums[r] + i] = select(d_qkv[sums[r] + i] + sum, sum, begins);
      }
    }
  }
}
