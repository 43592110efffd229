// appendedStep.test.ts: rows whose step is a tree's, or begins with an append: right against float64, and wrong where a kernel is.
import { describe, expect, test, vi } from 'vitest';
import type { BenchOptions } from '../../../bench/run/options.ts';
import { runBench } from '../../../bench/run/run.ts';
import { parseFeatures } from '../../../bench/run/variations.ts';
import { parseResult } from '../../../bench/schema/readResult.ts';
import type { BenchResult } from '../../../bench/schema/schema.ts';
import type { GqaDevice } from '../../../src/index.ts';
import type { Kernel } from '../../../src/kernels/kernel.ts';
import { testDevice } from '../../support/device.ts';
import { ownDevice } from '../../support/ownDevice.ts';

const OPTIONS: BenchOptions = {
  model: 'test',
  // Of one query each: their shaders compile fastest.
  heads: 2,
  kvHeads: [2],
  headDim: 32,
  depths: [65],
  batches: [2],
  kTypes: ['f16'],
  vTypes: ['f16'],
  caches: ['cold'],
  kernels: ['auto'],
  seed: 5,
  check: true,
  reps: 2,
  lastLevelCacheBytes: 2 ** 15,
  // Measuring one takes longer than the rows do.
  ceiling: { readGBps: 1, bytes: 1, wgSize: 1, groups: 1, samplesNs: [1] },
  context: { version: '0', runtime: { kind: 'test', version: '0' }, nonStandard: {} },
};

async function run(device: GqaDevice, options: Partial<BenchOptions>): Promise<BenchResult> {
  const bench = runBench(device, { ...OPTIONS, ...options });
  for (;;) {
    const { done, value } = await bench.next();
    if (done) return value;
  }
}

/** Of each row its name behind the shape's, and whether it was right before it was timed and after. */
const rightOf = ({ results }: BenchResult, shape: string) =>
  results.map(({ id, check, checkAfter }) => [id.replace(shape, ''), check?.pass, checkAfter?.pass]);

describe('steps with features of their own tokens', () => {
  test('are right, each behind the step without: of unequal requests in pages, by kernels on the same caches', async () => {
    const result = await run(await testDevice(), {
      requests: ['1q1s62_1q1s21'],
      pageSizes: [16],
      features: parseFeatures('tree+qk-norm'),
      kernels: ['auto', 'plain'],
      kTypes: ['int8'],
      vTypes: ['int4'],
    });
    const names = ['', '_tree_qk-norm'].flatMap((more) => [`_q4_append${more}`, `_q4_append${more}_plain`]);
    expect(rightOf(result, 'h2_kv2_d32_1q1s62_1q1s21_kint8_vint4_page16')).toEqual(
      names.map((name) => [name, true, true]),
    );
    const read = parseResult(JSON.stringify(result), 'run.json').results[2]!;
    expect(read.params).toMatchObject({ positions: 4, append: true, features: ['tree', 'qk-norm'] });
    expect(read.dispatches!.slice(0, 2)).toEqual(['append_kv', 'decode_registers']);
  });

  test('are right on cold caches, and of a prompt that is appended whole', async () => {
    const features = parseFeatures('none,tree,rope');
    const device = await testDevice();
    const decoded = await run(device, { features });
    expect(rightOf(decoded, 'h2_kv2_d32_b2_t65_f16')).toEqual(
      ['', '_q4', '_q4_tree', '_append', '_append_rope'].map((name) => [name, true, true]),
    );
    for (const { cold, workingSetBytes, dispatches, params } of decoded.results) {
      expect([cold, workingSetBytes]).toEqual([true, decoded.results[0]!.workingSetBytes]);
      expect(dispatches!.includes('append_kv')).toBe(params.append === true);
    }
    const prompt = await run(device, { depths: [], prompts: [24], features: [['rope']], batches: [1] });
    expect(rightOf(prompt, 'h2_kv2_d32_pp24_f16')).toEqual(
      ['_append', '_append_rope'].map((name) => [name, true, true]),
    );
  });
});

describe('are wrong where', () => {
  /** Which rows are right on a device whose shaders have other texts in places. */
  async function rightWith(changes: Readonly<Record<string, string>>, features: string) {
    using device = await ownDevice(['subgroups']);
    const get = device.pipelines.get.bind(device.pipelines);
    const changed = new Set<string>();
    vi.spyOn(device.pipelines, 'get').mockImplementation((kernel: Kernel) => {
      let { source } = kernel;
      for (const [from, to] of Object.entries(changes)) {
        if (source.includes(from)) changed.add(from);
        source = source.replaceAll(from, to);
      }
      return get({ ...kernel, source });
    });
    const { results } = await run(device, { batches: [1], features: parseFeatures(features) });
    expect([...changed].toSorted()).toEqual(Object.keys(changes).toSorted());
    return results.map(({ id, check, time }) => {
      expect(time === null).toBe(check?.pass === false);
      return [id.replace('h2_kv2_d32_t65_f16', ''), check?.pass];
    });
  }

  test('nothing is appended', async () => {
    const change = { 'if num_tokens == 0u ||': 'if num_tokens > 0u ||' };
    expect(await rightWith(change, 'none,rope')).toEqual([
      ['', true],
      ['_append', false],
      ['_append_rope', false],
    ]);
  });

  test("rows are turned the other way, queries normalised by keys' weights, branches of a tree not hidden", async () => {
    const changes = {
      'select(-sine, sine, i >=': 'select(sine, -sine, i >=',
      'norms.weights[which * ': 'norms.weights[0u * ',
      '((bits >> (u32(at) % 32u)) & 1u) != 0u': 'bits != 0u',
    };
    expect(await rightWith(changes, 'tree,rope,qk-norm')).toEqual([
      ['_q4', true],
      ['_q4_tree', false],
      ['_append', true],
      ['_append_rope', false],
      ['_append_qk-norm', false],
    ]);
  });
});
