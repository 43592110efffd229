// onnxLayers.node.test.ts: ONNX's own operator tests of norms, activations and losses, by the kernels that models run.
import { expect, test } from 'vitest';
import { modelStepWords, setModelStep } from '../../src/kernels/model/modelStep.ts';
import { product, productGrid, productNumbers, type ProductForm } from '../../src/kernels/model/product.ts';
import { norm, normNumbers } from '../../src/kernels/model/rows.ts';
import { tokenLoss } from '../../src/kernels/model/tokens.ts';
import { paddedWidth, type MatrixSizes } from '../../src/kernels/model/weightsLib.ts';
import { packTiles, plainColumns } from '../../src/models/decoder/packing.ts';
import { testDevice } from '../support/device.ts';
import { expectClose, onnxCases, withCase } from '../support/onnxCases.ts';
import { runKernel, unwritten } from '../support/runKernel.ts';

const device = await testDevice();

/** Rows [rows, width] with zeros behind each up to the padding. */
function padded(data: Float32Array, width: number): Float32Array<ArrayBuffer> {
  const stride = paddedWidth(width);
  const rows = new Float32Array((data.length / width) * stride);
  for (let row = 0; row < data.length / width; row++) {
    rows.set(data.subarray(row * width, (row + 1) * width), row * stride);
  }
  return rows;
}

/** Rows times the identity, with the norm in front or the activation behind. */
async function byProduct(
  data: Float32Array,
  width: number,
  form: Partial<ProductForm>,
  { gains, bias, eps = 0 }: { gains?: Float32Array; bias?: Float32Array; eps?: number } = {},
): Promise<Float32Array> {
  const inputs = paddedWidth(width);
  const rows = data.length / width;
  const sizes: MatrixSizes = { type: 'f32', inputs, outputs: width, matrices: 1, tile: 32 };
  const codes = Float32Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? 1 : 0));
  const piece = { codes, rowStride: width, columnStride: 1 };
  const { weights } = packTiles(
    { sizes, columns: plainColumns(width, inputs), place: (row) => ({ piece, row }) },
    0,
    1,
  );
  const variant = { rows: 1, columns: 1, slices: 4, alone: false };
  const whole: ProductForm = { bias: bias !== undefined, results: 'sums', writes: 'set', ...form };
  const step = new Uint32Array(modelStepWords(rows));
  setModelStep(step, new Uint32Array(rows), rows);
  const { y } = await runKernel(device, {
    kernel: product(sizes, whole, variant, { inputStride: inputs, stride: 32 }),
    grid: productGrid(1, rows, variant),
    inputs: {
      x: padded(data, width),
      weights,
      numbers: productNumbers(sizes, { first: 0, width, eps, scale: 1, softcap: 0 }),
      ...(gains && { gains: padded(gains, width) }),
      ...(bias && { bias: Float32Array.from({ length: 32 }, (_, i) => bias[i] ?? 0) }),
    },
    outputs: { y: unwritten(rows * 32) },
    step,
  });
  return Float32Array.from(data, (_, at) => (y as Float32Array)[Math.floor(at / width) * 32 + (at % width)]!);
}

test('all cases are of a kind that is tried', () => {
  expect(onnxCases()).toHaveLength(28);
  expect(onnxCases(/^(gelu|swish|rms_|layer_|sce_)/)).toHaveLength(17);
  expect(onnxCases(/^(rotary_|tensorscatter)/), 'in onnxCache').toHaveLength(11);
});

test.each(onnxCases(/^(gelu|swish)/))('%s', (name) =>
  withCase(name, async ({ attributes, floats }) => {
    const x = await floats('input_0');
    const gelu = attributes['approximate'] === 'tanh' ? 'gelu_tanh' : 'gelu_erf';
    const results = name.startsWith('swish') ? 'silu' : gelu;
    const width = x.shape.at(-1)!;
    expectClose(await byProduct(x.data, width, { results }), (await floats('output_0')).data);
  }),
);

const epsOf = ({ epsilon = '1e-5' }: Readonly<Record<string, string>>) => Math.fround(Number(epsilon));

test.each(onnxCases(/^rms_/))('%s, in front of a product and by itself', (name) =>
  withCase(name, async ({ attributes, floats }) => {
    const [x, gains, want] = [await floats('input_0'), await floats('input_1'), await floats('output_0')];
    const width = gains.shape[0]!;
    const eps = epsOf(attributes);
    expectClose(await byProduct(x.data, width, { norm: 'rms' }, { gains: gains.data, eps }), want.data);
    const stride = paddedWidth(width);
    const rows = x.data.length / width;
    const { y } = await runKernel(device, {
      kernel: norm(stride, false),
      grid: [rows, 1, 1],
      inputs: {
        x: padded(x.data, width),
        gains: padded(gains.data, width),
        numbers: normNumbers(width, eps),
      },
      outputs: { y: unwritten(rows * stride) },
    });
    const own = x.data.map((_, at) => (y as Float32Array)[Math.floor(at / width) * stride + (at % width)]!);
    expectClose(own, want.data);
  }),
);

test.each(onnxCases(/^layer_/))('%s', (name) =>
  withCase(name, async ({ attributes, floats }) => {
    const [x, gains, bias] = [await floats('input_0'), await floats('input_1'), await floats('input_2')];
    const width = gains.shape[0]!;
    const numbers = { gains: gains.data, bias: bias.data, eps: epsOf(attributes) };
    expectClose(await byProduct(x.data, width, { norm: 'layer' }, numbers), (await floats('output_0')).data);
  }),
);

test.each(onnxCases(/^sce_/))('%s', (name) =>
  withCase(name, async ({ attributes, floats, whole }) => {
    const x = await floats('input_0');
    const vocab = x.shape[1]!;
    const targets = await whole('input_1');
    const { ignore_index: ignored, reduction } = attributes;
    const counted = targets.filter((target) => String(target) !== ignored).length;
    const { losses } = await runKernel(device, {
      kernel: tokenLoss({ vocab, stride: vocab }, 16),
      grid: [targets.length, 1, 1],
      inputs: {
        logits: x.data,
        targets: Uint32Array.from(targets, (target) => (String(target) === ignored ? vocab : target)),
      },
      outputs: { losses: unwritten(targets.length) },
    });
    const all = [...(losses as Float32Array)];
    const sum = all.reduce((a, b) => a + b, 0);
    const got = reduction === 'none' ? all : [reduction === 'mean' ? sum / counted : sum];
    expectClose(got, (await floats('output_0')).data);
  }),
);
