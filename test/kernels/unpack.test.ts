// unpack.test.ts: the libs elements_* read back what encodeRows writes, every bit pattern of it, exactly.
import { describe, expect, test } from 'vitest';
import { link } from '../../src/device/wgsl.ts';
import { rowWords, scalesStart, type RowsLayout, type WordBytes } from '../../src/numbers/elements.ts';
import { elementsLib, type Unpacking } from '../../src/kernels/lib.ts';
import { decodeRows } from '../../src/numbers/storedRows.ts';
import { bfloatValue } from '../reference/storedRows.ts';
import { testDevice } from '../support/device.ts';
import { runKernel } from '../support/runKernel.ts';

const device = await testDevice();

// A row of elements, and their scale, per invocation. Outputs are bits: a store of floats may flush.
const SOURCE = `
@group(0) @binding(0) var<storage, read> k_cache: array<KWord>;
@group(0) @binding(1) var<storage, read_write> values: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> scales: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3<u32>) {
  for (var word = 0u; word < K_ROW_WORDS; word++) {
    for (var i = 0u; i < K_WORD_VEC4S; i++) {
      if (word * K_WORD_VEC4S + i) * 4u < HEAD_DIM {
        let at = group.x * (HEAD_DIM / 4u) + word * K_WORD_VEC4S + i;
        let unpacked = k_unpack(k_cache[group.x * K_ROW_WORDS + word], i);
        // Zero taken off numbers that it was added to alone: 0 - 0 would lose the sign of 0.
        values[at] = bitcast<vec4<u32>>(unpacked);
        if K_ZERO != 0.0 {
          values[at] = bitcast<vec4<u32>>(unpacked - vec4<f32>(K_ZERO));
        }
      }
    }
    let scale = k_row_scale(SCALES, group.x) * k_word_scale(SCALES, group.x * K_ROW_WORDS + word);
    scales[group.x * K_ROW_WORDS + word] = bitcast<u32>(scale);
  }
}`;

/** Elements without their scales, and the scale of each word, as kernels get them. */
async function unpacked(
  layout: RowsLayout,
  stored: Uint8Array<ArrayBuffer>,
  bytes: WordBytes,
  unpacking: Unpacking,
) {
  const { headDim, capacity, type } = layout;
  const words = rowWords(type, headDim, bytes);
  const consts = { HEAD_DIM: headDim, SCALES: scalesStart(layout) };
  const { values, scales } = await runKernel(device, {
    kernel: {
      name: 'unpack',
      source: link({ kernel: SOURCE, libs: [elementsLib('k', type, bytes, unpacking)], consts }),
    },
    grid: [capacity, 1, 1],
    inputs: { k_cache: stored },
    outputs: {
      values: new Float32Array(headDim * capacity),
      scales: new Float32Array(capacity * words),
    },
  });
  return { values: values as Float32Array, scales: scales as Float32Array };
}

/** Where a number is not what it should be, NaN for NaN. */
function differences(got: Float32Array, wanted: Float32Array): string[] {
  return [...got.keys()].flatMap((i) =>
    got[i] === wanted[i] || (Number.isNaN(got[i]) && Number.isNaN(wanted[i]))
      ? []
      : [`[${i}]: ${got[i]}, not ${wanted[i]}`],
  );
}

// Subnormal halves are normal numbers of f32: no device may lose them. Subnormal f32 may be read as zero.
test.each([
  ['f16', 16],
  ['f16', 8],
  ['bf16', 16],
  ['bf16', 8],
] as const)('%s by words of %i bytes: all 65,536 of them', async (type, bytes) => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const layout = { type, headDim: 64, heads: 1, capacity: 1024 };
  const { values, scales } = await unpacked(layout, new Uint8Array(bits.buffer), bytes, 'bits');
  const tiny = (x: number) => (Math.abs(x) < 2 ** -126 ? 0 : x);
  expect(differences(values.map(tiny), decodeRows(layout, bits).map(tiny)).slice(0, 5)).toEqual([]);
  expect(new Set(scales)).toEqual(new Set([1]));
});

const INTEGERS = (['int8', 'int4'] as const).flatMap((type) =>
  (['bits', 'converted'] as const).flatMap((unpacking) =>
    ([16, 8, 4] as const).map((width) => [type, unpacking, width] as const),
  ),
);

describe.each(INTEGERS)('%s, %s, by words of %i bytes', (type, unpacking, width) => {
  // An odd number of blocks of 16 bytes in int4, and an even one; rows of int8 have one scale whatever their length.
  test.each(type === 'int8' ? [64] : unpacking === 'bits' ? [80, 64] : [80])(
    'every element, and scales of every sign and exponent: head dim %i',
    async (headDim) => {
      const capacity = 700;
      const layout = { type, headDim, heads: 1, capacity };
      const words = rowWords(type, headDim);
      const bytes = new Uint8Array(capacity * words * 16).map((_, i) => (i * 37) % 256);
      const bits = Uint16Array.from({ length: 4096 }, (_, i) => (0x0080 + i * 101) % 65536);
      const stored = new Uint8Array(Math.ceil((bytes.length + bits.byteLength) / 16) * 16 + 4096);
      stored.set(bytes);
      stored.set(new Uint8Array(bits.buffer), bytes.length);
      const { values, scales } = await unpacked(layout, stored, width, unpacking);
      const steps = Float32Array.from(values, (_, at) => {
        const [row, d] = [Math.floor(at / headDim), at % headDim];
        if (type === 'int8') return bytes[row * headDim + d]! - 128;
        return ((bytes[row * words * 16 + (d >> 1)]! >> (4 * (d % 2))) & 15) - 8;
      });
      expect(differences(values, steps)).toEqual([]);
      const stride = 2 * Math.ceil(words / 2);
      const wanted = Float32Array.from(scales, (_, at) => {
        const blockOf = Math.floor((at * width) / 16); // over all rows
        const [row, block] = [Math.floor(blockOf / words), blockOf % words];
        return bfloatValue(bits[type === 'int8' ? row : row * stride + block]!);
      });
      const normal = (x: number) => (Math.abs(x) < 2 ** -126 ? 0 : x);
      expect(differences(scales.map(normal), wanted.map(normal)).slice(0, 5)).toEqual([]);
    },
  );
});
