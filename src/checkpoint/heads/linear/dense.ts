// dense.ts: products of dense row-major matrices in float64: the hot loops of the conversion.

/** Rows of a . rows of b: a [m, n], b [k, n] -> [m, k]. */
export function rowProducts(a: Float32Array, b: Float32Array, n: number): Float64Array {
  const out = new Float64Array((a.length / n) * (b.length / n));
  addRowProducts(a, b, n, out, false);
  return out;
}

/** Gram matrix of the rows of a [m, n] -> [m, m], exactly symmetric. */
export function gram(a: Float32Array, n: number): Float64Array {
  const m = a.length / n;
  const out = new Float64Array(m * m);
  addRowProducts(a, a, n, out, true);
  for (let i = 0; i < m; i++) for (let j = i + 1; j < m; j++) out[i * m + j] = out[j * m + i]!;
  return out;
}

// Elements of a row that are worked on at a time, so that the rows of a tile stay in the cache.
const STRIP = 512;

/** `lowerOnly`: what lies right of the diagonal need not be right. */
function addRowProducts(
  a: Float32Array,
  b: Float32Array,
  n: number,
  out: Float64Array,
  lowerOnly: boolean,
): void {
  const [m, k] = [a.length / n, b.length / n];
  const [m4, k2] = [m - (m % 4), k - (k % 2)];
  for (let begin = 0; begin < n; begin += STRIP) {
    const end = Math.min(n, begin + STRIP);
    for (let i = 0; i < m4; i += 4) {
      const last = lowerOnly ? Math.min(k2, i + 4) : k2;
      for (let j = 0; j < last; j += 2) addTile(a, b, out, i, j, k, n, begin, end);
    }
    for (let i = 0; i < m; i++) {
      for (let j = i < m4 ? k2 : 0; j < k; j++) addOne(a, b, out, i, j, k, n, begin, end);
    }
  }
}

/** Eight dot products at once, so that each load serves two or four of them. */
// oxlint-disable-next-line eslint/max-params
function addTile(
  a: Float32Array,
  b: Float32Array,
  out: Float64Array,
  i: number,
  j: number,
  k: number,
  n: number,
  begin: number,
  end: number,
): void {
  const [a0, a1, a2, a3] = [i * n, (i + 1) * n, (i + 2) * n, (i + 3) * n];
  const [b0, b1] = [j * n, (j + 1) * n];
  let [s00, s01, s10, s11, s20, s21, s30, s31] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let c = begin; c < end; c++) {
    const y0 = b[b0 + c]!;
    const y1 = b[b1 + c]!;
    const x0 = a[a0 + c]!;
    const x1 = a[a1 + c]!;
    const x2 = a[a2 + c]!;
    const x3 = a[a3 + c]!;
    s00 += x0 * y0;
    s01 += x0 * y1;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s20 += x2 * y0;
    s21 += x2 * y1;
    s30 += x3 * y0;
    s31 += x3 * y1;
  }
  const at = i * k + j;
  out[at]! += s00;
  out[at + 1]! += s01;
  out[at + k]! += s10;
  out[at + k + 1]! += s11;
  out[at + 2 * k]! += s20;
  out[at + 2 * k + 1]! += s21;
  out[at + 3 * k]! += s30;
  out[at + 3 * k + 1]! += s31;
}

// oxlint-disable-next-line eslint/max-params
function addOne(
  a: Float32Array,
  b: Float32Array,
  out: Float64Array,
  i: number,
  j: number,
  k: number,
  n: number,
  begin: number,
  end: number,
): void {
  let sum = 0;
  for (let c = begin; c < end; c++) sum += a[i * n + c]! * b[j * n + c]!;
  out[i * k + j]! += sum;
}

/** a [m, n] . b [n, width] -> [m, width] */
export function multiply(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const out = new Float64Array((a.length / n) * (b.length / n));
  addProduct(out, a, b, n);
  return out;
}

/** out [m, width] += a [m, n] . b [n, width] */
export function addProduct(out: Float64Array, a: Float64Array, b: Float64Array, n: number): void {
  const [m, width] = [a.length / n, b.length / n];
  if (width === 1) {
    for (let i = 0; i < m; i++) out[i]! += inner(a.subarray(i * n, (i + 1) * n), b);
    return;
  }
  for (let i = 0; i < m; i++) {
    const row = out.subarray(i * width, (i + 1) * width);
    for (let l = 0; l < n; l++) {
      const x = a[i * n + l]!;
      if (x === 0) continue; // most of a rotation
      const from = l * width;
      for (let j = 0; j < width; j++) row[j]! += x * b[from + j]!;
    }
  }
}

// Below: small square matrices [d, d], those that turn a head's elements into others.

export function transpose(a: Float64Array, d: number): Float64Array {
  const out = new Float64Array(d * d);
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) out[j * d + i] = a[i * d + j]!;
  return out;
}

export function identity(d: number): Float64Array {
  const out = new Float64Array(d * d);
  for (let i = 0; i < d; i++) out[i * d + i] = 1;
  return out;
}

export function scaled(a: Float64Array, factor: number): Float64Array {
  return a.map((x) => x * factor);
}

/** a += b */
export function addTo(a: Float64Array, b: Float64Array): void {
  for (let i = 0; i < a.length; i++) a[i]! += b[i]!;
}

/** Sum of the products of corresponding elements: the trace of a^T b. */
export function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

export function trace(a: Float64Array, d: number): number {
  let sum = 0;
  for (let i = 0; i < d; i++) sum += a[i * d + i]!;
  return sum;
}

/** The block at (row, column), in blocks of d x d, of a matrix [m, m]. */
export function block(
  a: Float64Array,
  m: number,
  d: number,
  [row, column]: readonly [number, number],
): Float64Array {
  const out = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    const begin = (row * d + i) * m + column * d;
    out.set(a.subarray(begin, begin + d), i * d);
  }
  return out;
}
