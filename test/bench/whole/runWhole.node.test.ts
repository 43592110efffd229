// runWhole.node.test.ts: a small model's steps timed on the device, and runs that cannot be.
import { describe, expect, test, vi } from 'vitest';
import { wholeCsv } from '../../../bench/report/wholeCsv.ts';
import { wholeReport } from '../../../bench/report/wholeReport.ts';
import { parseWholeResult } from '../../../bench/schema/readResult.ts';
import type { WholeResult, WholeRow } from '../../../bench/schema/wholeSchema.ts';
import { randomModel } from '../../../bench/whole/randomModel.ts';
import { runWhole, type WholeEvent } from '../../../bench/whole/runWhole.ts';
import type { WholeOptions } from '../../../bench/whole/wholeOptions.ts';
import { STEP_PARTS } from '../../../src/models/decoder/stepParts.ts';
import { ModelSource } from '../../../src/models/decoder/modelSource.ts';
import { testDevice } from '../../support/device.ts';

// Each run measures the ceiling first: for longer than the rest takes, and of this device it is the same.
vi.mock(import('../../../bench/run/ceiling.ts'), async (original) => {
  const { measureCeiling } = await original();
  let measured: ReturnType<typeof measureCeiling> | undefined;
  return { measureCeiling: (...args) => (measured ??= measureCeiling(...args)) };
});

const CONFIG = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 96,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  num_hidden_layers: 2,
  vocab_size: 128,
};

const OPTIONS: WholeOptions = {
  model: {
    name: 'tiny',
    isRandom: true,
    open: ({ kvHeads }) => Promise.resolve(randomModel(CONFIG, kvHeads, 'tiny', 1)),
  },
  variants: [{ kvHeads: 2 }, { kvHeads: 1 }],
  depths: [12],
  batches: [2],
  kType: 'f16',
  vType: 'f16',
  seed: 5,
  check: true,
  reps: 2,
  lastLevelCacheBytes: 2 ** 19,
  context: { version: '0', runtime: { kind: 'test', version: '0' }, nonStandard: {} },
};

async function run(
  options: Partial<WholeOptions> = {},
): Promise<{ events: WholeEvent[]; result: WholeResult }> {
  const events: WholeEvent[] = [];
  const bench = runWhole(await testDevice(), { ...OPTIONS, ...options });
  for (;;) {
    const { done, value } = await bench.next();
    if (done) return { events, result: value };
    events.push(value);
  }
}

/** A row that has no time has none for its clock alone: a busy machine's may tell no time. */
function expectRan({ time, error }: WholeRow): void {
  if (!time) expect(error).toContain('clock');
  else expect(error).toBeUndefined();
}

describe('runWhole', () => {
  test('times step and parts of every variant at every depth, bytes and dispatches counted by hand', async () => {
    const { result, events } = await run();
    expect(result.results.map(({ id }) => id)).toEqual(['kv2_b2_d12', 'kv1_b2_d12']);
    expect(result.results.map(({ variant }) => variant)).toEqual(['mha', 'mqa']);
    expect(events.filter(({ type }) => type === 'row')).toHaveLength(2);
    for (const row of result.results) {
      const { params, bytes, parts, time, dispatches, check } = row;
      expectRan(row);
      expect(check).toMatchObject({ ref: 'cpu-f64', pass: true });
      expect(check!.maxAbsErr).toBeLessThanOrEqual(check!.bound);
      // Two layers, K and V, two sequences, the new token too, halves.
      expect(bytes.kv).toBe(2 * 2 * 2 * (params.depth + 1) * params.kvHeads * 32 * 2);
      const qkv = (2 + 2 * params.kvHeads) * 32;
      const weights = { projections: 2 * (qkv + 64) * 64 * 2, mlp: 2 * 3 * 96 * 64 * 2, head: 128 * 64 * 2 };
      // Outputs are filled up to whole tiles.
      expect(parts!.head.bytes).toBe(weights.head);
      expect(parts!.mlp.bytes).toBeGreaterThanOrEqual(weights.mlp);
      expect(parts!.projections.bytes).toBeGreaterThanOrEqual(weights.projections);
      expect(parts!.attention.bytes).toBe(bytes.kv);
      expect(bytes.weights).toBe(parts!.head.bytes + parts!.mlp.bytes + parts!.projections.bytes);
      if (time) expect(time.samplesNs).toHaveLength(2);
      expect(STEP_PARTS.reduce((sum, part) => sum + parts![part].dispatches, 0)).toBe(dispatches);
      expect(dispatches).toBeLessThanOrEqual(2 * 7 + 3);
      expect(parts!.mlp.dispatches).toBe(4);
    }
    expect(parseWholeResult(JSON.stringify(result), 'run.json')).toEqual(JSON.parse(JSON.stringify(result)));
    const report = wholeReport(result);
    expect(report).toContain('| mha     |        2 | decode @ d12 × 2 |');
    expect(report).toContain('random weights');
    const csv = wholeCsv(result).split('\n');
    expect(csv).toHaveLength(3);
    expect(new Set(csv.map((line) => line.split(',').length)).size).toBe(1);
  });

  test('a model that is wrong on the device has no time', async () => {
    const source = randomModel(CONFIG, 1, 'tiny', 1);
    // Its head is scaled on the device, and not for the twin.
    const isLoaded = { yes: false };
    const wrong = {
      tensor: (name: string) => source.tensor(name),
      read: async (name: string) => {
        const bytes = await source.read(name);
        if (name === 'lm_head.weight' && !isLoaded.yes) {
          isLoaded.yes = true;
          bytes[1] = 0x40;
        }
        return bytes;
      },
    };
    const open = () => Promise.resolve(new ModelSource('wrong', source.spec, wrong));
    const { result } = await run({
      model: { name: 'wrong', isRandom: true, open },
      depths: [4],
      variants: [{ kvHeads: 1 }],
    });
    expect(result.results[0]!.time).toBeNull();
    expect(result.results[0]!.error).toContain('wrong result: error');
    expect(result.results[0]!.check!.pass).toBe(false);
    expect(wholeReport(result)).toContain('WRONG |');
  });

  test('a model with an encoder reads sources as deep as its text', async () => {
    const t5 = {
      model_type: 't5',
      d_model: 64,
      d_kv: 32,
      d_ff: 96,
      num_heads: 2,
      num_layers: 2,
      num_decoder_layers: 2,
      vocab_size: 128,
      feed_forward_proj: 'gated-gelu',
      tie_word_embeddings: false,
      is_encoder_decoder: true,
    };
    const open = ({ kvHeads }: { kvHeads: number }) => Promise.resolve(randomModel(t5, kvHeads, 't5', 1));
    const model = { name: 't5', isRandom: true, open };
    const { result } = await run({ model, variants: [{ kvHeads: 1 }] });
    for (const row of result.results) {
      const { params, bytes, dispatches, check } = row;
      expectRan(row);
      expect(check).toMatchObject({ ref: 'cpu-f64', pass: true });
      expect(bytes.kv).toBe(2 * 2 * 2 * (2 * params.depth + 1) * params.kvHeads * 32 * 2);
      expect(dispatches).toBeLessThanOrEqual(2 * 10 + 3);
    }
  });

  test('prompts take all of their passes, and share no ceiling', async () => {
    const { result, events } = await run({
      depths: [],
      prompts: [70],
      variants: [{ kvHeads: 2 }, { kvHeads: 1 }],
    });
    expect(result.results.map(({ id }) => id)).toEqual(['kv2_b2_pp70', 'kv1_b2_pp70']);
    expect(events.filter(({ type }) => type === 'row')).toHaveLength(2);
    for (const row of result.results) {
      const { params, bytes, time, dispatches, cold, parts } = row;
      expectRan(row);
      expect(params).toMatchObject({ depth: 70, prompt: 70, batch: 2 });
      expect({ cold, parts }).toEqual({ cold: false, parts: undefined });
      // Two layers, K and V, two sequences, halves.
      expect(bytes.kv).toBe(2 * 2 * 2 * 70 * params.kvHeads * 32 * 2);
      // 140 rows are a pass of 128 and one of 12; the head's weights are read once.
      const mlp = 2 * 3 * 96 * 64 * 2;
      const projections = 2 * ((2 + 2 * params.kvHeads) * 32 + 64) * 64 * 2;
      expect(bytes.weights).toBeGreaterThanOrEqual(2 * (mlp + projections) + 128 * 64 * 2);
      expect(bytes.weights).toBeLessThan(3 * (mlp + projections));
      expect(dispatches).toBeGreaterThan(2 * 2 * 6);
      if (time) expect(time.samplesNs).toHaveLength(2);
    }
    expect(parseWholeResult(JSON.stringify(result), 'run.json')).toEqual(JSON.parse(JSON.stringify(result)));
    const report = wholeReport(result);
    expect(report).toContain('| mha     |        2 | prefill @ p70 × 2 |');
    expect(report).not.toContain('ceiling is shown');
    const [header, first] = wholeCsv(result)
      .split('\n')
      .map((line) => line.split(','));
    expect(first![header!.indexOf('prompt')]).toBe('70');
    const median = result.results[0]!.time?.median;
    if (median) expect(first![header!.indexOf('tokensPerSecond')]).toBe(String((2 * 70 * 1e9) / median));
  });

  test('a variant that the device has no room for is a row that says so, and the others go on', async () => {
    const device = await testDevice();
    const { gpu } = device;
    const create = gpu.createBuffer.bind(gpu);
    // The first model's weights find no memory, as on an adapter that has too little.
    const taken = vi
      .spyOn(gpu, 'createBuffer')
      .mockImplementation((descriptor) =>
        create(
          /q_proj/.test(descriptor.label ?? '') && isFirst.yes
            ? { ...descriptor, size: 2 ** 50 }
            : descriptor,
        ),
      );
    const isFirst = { yes: true };
    const { model } = OPTIONS;
    const open = (variant: { kvHeads: number }) => {
      isFirst.yes = variant.kvHeads === 2;
      return model.open(variant);
    };
    try {
      const { result } = await run({ depths: [4, 8], model: { ...model, open } });
      const [mha, mqa] = [
        result.results.filter(({ variant }) => variant === 'mha'),
        result.results.filter(({ variant }) => variant === 'mqa'),
      ];
      for (const row of mha) {
        expect(row.time).toBeNull();
        expect(row.error).toMatch(/exceeds the max buffer size.*; the weights of this variant take \d/s);
      }
      mqa.forEach(expectRan);
      expect([mha.length, mqa.length]).toEqual([2, 2]);
      expect(wholeReport(result)).toContain('error    kv2_b2_d4: ');
    } finally {
      taken.mockRestore();
    }
  });

  test('a row beyond a limit has an error and no time, and the others have theirs', async () => {
    const { result } = await run({ depths: [4, 2 ** 24], variants: [{ kvHeads: 1 }] });
    const [first] = result.results;
    expect(first).toMatchObject({ id: 'kv1_b2_d4', bytes: { kv: 2 * 2 * 2 * 5 * 32 * 2 }, dispatches: 15 });
    expectRan(first!);
    expect(result.results[1]!.time).toBeNull();
    expect(result.results[1]!.error).toContain('from 1 to 16777216, got 16777224');
  });

  test('an abort before the first samples rejects, one after them keeps what is there', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(run({ signal })).rejects.toThrow('enough');
    const controller = new AbortController();
    const bench = runWhole(await testDevice(), {
      ...OPTIONS,
      variants: [{ kvHeads: 1 }],
      depths: [4, 8],
      check: false,
      signal: controller.signal,
    });
    for (;;) {
      const { done, value } = await bench.next();
      if (done) {
        expect(value.results).toHaveLength(1);
        expect(value.context.partial).toMatchObject({ rows: 2 });
        break;
      }
      if (value.type === 'soFar') controller.abort(new Error('enough'));
    }
  });
});
