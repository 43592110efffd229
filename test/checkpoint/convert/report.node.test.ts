// report.node.test.ts: the report's errors against attention computed by an independent reference on converted files.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { t5Bucket } from '../../../src/models/families/t5.ts';
import { writeSafetensors, type TensorData } from '../../../src/checkpoint/format/file.ts';
import { reportModule } from '../../../src/checkpoint/convert/report.ts';
import { moduleOutput } from '../../support/moduleAttention.ts';
import { CHECKPOINTS, HEADS, noise, writeCheckpoint } from '../../support/checkpoints.ts';
import { convertFolder, readAll, withJob } from '../../support/convertFolder.ts';
import { FAMILY_PLACES } from '../../support/headPlaces.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gqa-report-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const TOKENS = 12;

const FAMILIES = [
  'llama',
  'qwen2',
  'qwen3',
  'gemma2',
  'gemma3',
  'phi3',
  'gpt-neox',
  'gpt-2',
  'nanogpt',
  'nanochat-hf',
];
const KINDS = [
  ...FAMILIES.map((family) => [family, 'self'] as const),
  ['t5', 'self'],
  ['t5', 'cross'],
] as const;

describe.each(KINDS)('%s, %s-attention', (family, kind) => {
  test.each(['mean', 'first', 'aligned', 'pca'] as const)(
    '%s: the output error is that of the converted model',
    async (method) => {
      const source = await writeCheckpoint(join(folder, 'source'), CHECKPOINTS[family]!);
      const { width } = FAMILY_PLACES[family]!;
      const tokens = Array.from({ length: TOKENS }, (_, t) =>
        Array.from(noise(`token ${t}`, [width]), (x) => 3 * x),
      );
      const calibration = join(folder, 'hidden.safetensors');
      const names = await withJob(source, join(folder, 'x'), { kvHeads: 2 }, async ({ plan }) =>
        plan.attention.modules.flatMap((module) =>
          module.kind === 'cross' ? [module.name, `${module.name}.kv`] : [module.name],
        ),
      );
      const states = (name: string): TensorData => ({
        name,
        dtype: 'F32',
        shape: [TOKENS, width],
        data: Float32Array.from(tokens.flat()),
      });
      await writeSafetensors(calibration, names.map(states));
      const options = { kvHeads: 2, method, calibration };
      const report = await withJob(source, join(folder, 'x'), options, async ({ plan, sources }) => {
        const module = plan.attention.modules.find((m) => m.layer === 1 && m.kind === kind)!;
        return (await reportModule([plan], module, sources))[0]!;
      });
      const out = await convertFolder(source, join(folder, 'out'), options);
      const [before, after] = [await readAll(source), await readAll(out)];
      const common = { family, layer: 1, kind, tokens };
      const own = { ...common, numKvHeads: HEADS, kvHeadOf: (h: number) => h };
      const merged = { ...common, numKvHeads: 2, kvHeadOf: (h: number) => h >> 1 };
      const y = moduleOutput(own, (name) => before.get(name)).flat();
      const z = moduleOutput(merged, (name) => after.get(name)).flat();
      const norm = (values: readonly number[]) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
      expect(report.output).toBeCloseTo(norm(y.map((x, i) => x - z[i]!)) / norm(y), 4);
      expect(report.output).toBeGreaterThan(0.01);
    },
  );
});

test('umT5: each layer has a table of position biases of its own', async () => {
  const { config, tensors } = CHECKPOINTS['t5']!;
  const table = (layer: number) =>
    `decoder.block.${layer}.layer.0.SelfAttention.relative_attention_bias.weight`;
  const spec = {
    config: { ...config, model_type: 'umt5' },
    tensors: [...tensors, [table(1), [32, HEADS]] as const],
  };
  const outputOf = async (strange: string | undefined) => {
    const fill: typeof noise = (name, shape) =>
      name === strange ? Array.from(noise(name, shape), (x) => 20 * x) : noise(name, shape);
    const source = await writeCheckpoint(join(folder, 'source'), spec, { fill });
    return withJob(source, join(folder, 'x'), { kvHeads: 2 }, async ({ plan, sources }) => {
      const module = plan.attention.modules.find((m) => m.layer === 1 && m.kind === 'self')!;
      return (await reportModule([plan], module, sources))[0]!.output;
    });
  };
  const plain = await outputOf(undefined);
  expect(await outputOf(table(0))).toBe(plain);
  expect(await outputOf(table(1))).not.toBe(plain);
});

test("T5's buckets of distance: exact to 16, then logarithmic to 128", () => {
  const buckets = [0, 1, 15, 16, 19, 20, 64, 127, 128, 1000].map((distance) => t5Bucket(distance, 32, 128));
  expect(buckets).toEqual([0, 1, 15, 16, 17, 17, 26, 31, 31, 31]);
});
