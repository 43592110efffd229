// context.test.ts: a model's texts from files that need no disk: what is read, generated, refused and freed.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  GqaError,
  LimitExceededError,
  NotFiniteError,
  ShapeError,
  type GqaDevice,
} from '../../../src/index.ts';
import {
  loadModel,
  openModelFiles,
  planMemory,
  type ByteSource,
  type Model,
  type ModelContext,
  type ModelFiles,
} from '../../../src/models.ts';
import { testDevice } from '../../support/device.ts';
import { TINY_VOCAB, tinyModel } from '../../support/tinyModel.ts';

let device: GqaDevice;
let model: Model;
let context: ModelContext;

beforeAll(async () => {
  device = await testDevice();
  model = await loadModel(device, await openModelFiles(tinyModel()));
  context = await model.createContext({ batch: 3, capacity: 40, chunk: 8, kType: 'f32' });
}, 120_000);

afterAll(() => {
  context.destroy();
  model.destroy();
});

const PROMPTS = [
  [1, 2, 3, 4, 5, 6, 7, 8, 9],
  [10, 11],
  [5, 4, 3, 2, 1],
];

async function tokensOf(steps: AsyncIterable<(number | undefined)[]>): Promise<(number | undefined)[][]> {
  const all: (number | undefined)[][] = [];
  for await (const step of steps) all.push(step);
  return all;
}

const forget = () => context.cache.truncate(0);

describe('texts', () => {
  test('side by side are as one by one, however many steps are read together', async () => {
    const alone: (number | undefined)[][] = [];
    for (const [b, prompt] of PROMPTS.entries()) {
      forget();
      const prompts = PROMPTS.map((_, i) => (i === b ? prompt : [0]));
      const steps = await tokensOf(context.generate(prompts, { maxTokens: 9, stop: [], stepsPerRead: 1 }));
      alone.push(steps.map((step) => step[b]));
    }
    forget();
    const together = await tokensOf(context.generate(PROMPTS, { maxTokens: 9, stop: [], stepsPerRead: 16 }));
    expect(PROMPTS.map((_, b) => together.map((step) => step[b]))).toEqual(alone);
  });

  test('hold all tokens but the last when the iterator is left early, and go on from there', async () => {
    forget();
    const whole = await tokensOf(context.generate(PROMPTS, { maxTokens: 8, stop: [] }));
    forget();
    const first: (number | undefined)[][] = [];
    for await (const step of context.generate(PROMPTS, { maxTokens: 8, stop: [] })) {
      first.push(step);
      if (first.length === 3) break;
    }
    expect(context.lengths).toEqual(PROMPTS.map((prompt) => prompt.length + 2));
    const next = first[2]!.map((token) => [token!]);
    const rest = await tokensOf(context.generate(next, { maxTokens: 5, stop: [] }));
    expect([...first, ...rest]).toEqual(whole);
  });

  test('end at a token that ends them, and the others go on', async () => {
    forget();
    const whole = await tokensOf(context.generate(PROMPTS, { maxTokens: 8, stop: [] }));
    const stop = whole[2]![1]!;
    forget();
    const steps = await tokensOf(context.generate(PROMPTS, { maxTokens: 8, stop: [stop] }));
    for (const [b] of PROMPTS.entries()) {
      const own = whole.map((step) => step[b]!);
      const end = own.indexOf(stop);
      const kept = end < 0 ? own : own.slice(0, end + 1);
      expect(steps.map((step) => step[b]).filter((token) => token !== undefined)).toEqual(kept);
      expect(context.lengths[b]).toBe(PROMPTS[b]!.length + kept.length - 1);
    }
  });

  test('drawn by a seed are the same again, and others by another', async () => {
    const draw = async (seed: number) => {
      forget();
      return tokensOf(context.generate(PROMPTS, { maxTokens: 12, stop: [], temperature: 2, seed }));
    };
    const first = await draw(1);
    expect(await draw(1)).toEqual(first);
    expect(await draw(2)).not.toEqual(first);
  });

  test('have the likelihoods that their logits say, and no chunk changes them', async () => {
    forget();
    const rows = new Map<string, Float32Array>();
    await context.logits(PROMPTS, ({ sequence, position, logits }) =>
      rows.set(`${sequence}/${position}`, logits),
    );
    forget();
    const losses = await context.losses(PROMPTS);
    for (const [b, prompt] of PROMPTS.entries()) {
      expect(losses[b]).toHaveLength(prompt.length - 1);
      for (let t = 1; t < prompt.length; t++) {
        const logits = Float64Array.from(rows.get(`${b}/${t - 1}`)!);
        const most = Math.max(...logits);
        const sum = logits.reduce((all, logit) => all + Math.exp(logit - most), 0);
        expect(losses[b]![t - 1]).toBeCloseTo(most + Math.log(sum) - logits[prompt[t]!]!, 5);
      }
    }
  });

  test('in windows that overlap count each token once', async () => {
    const text = Array.from({ length: 30 }, (_, i) => (i * 7) % TINY_VOCAB);
    const whole = await context.perplexity(text);
    expect(whole.tokens).toBe(29);
    expect((await context.perplexity(text, { window: 10, stride: 5 })).tokens).toBe(29);
    // Without an overlap the first token of each of three windows is not told.
    expect((await context.perplexity(text, { window: 10 })).tokens).toBe(27);
    const [first] = await context.losses([text.slice(0, 10), [], []]);
    forget();
    const [second] = await context.losses([text.slice(10, 20), [], []]);
    forget();
    const [third] = await context.losses([text.slice(20), [], []]);
    const sum = [first!, second!, third!].flatMap((losses) => [...losses]).reduce((a, b) => a + b, 0);
    expect((await context.perplexity(text, { window: 10 })).nll).toBeCloseTo(sum / 27, 6);
  });
});

test('many sequences may be of few tokens each: fewer than a pass takes', async () => {
  const small = await model.createContext({ batch: 5, capacity: 4, kType: 'f32' });
  try {
    const prompts = Array.from({ length: 5 }, (_, b) => [1, 2, b]);
    const steps = await tokensOf(small.generate(prompts, { maxTokens: 2, stop: [] }));
    for (const b of [0, 1, 2]) {
      forget();
      const same = PROMPTS.map(() => prompts[b]!);
      const expected = await tokensOf(context.generate(same, { maxTokens: 2, stop: [] }));
      expect(steps.map((step) => step[b])).toEqual(expected.map((step) => step[b]));
    }
  } finally {
    small.destroy();
  }
});

test('a step has at most seven dispatches a layer and three besides', async () => {
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  const spy = vi.spyOn(Object.getPrototypeOf(pass) as GPUComputePassEncoder, 'dispatchWorkgroups');
  pass.end();
  try {
    const dispatchesOf = async (maxTokens: number) => {
      forget();
      spy.mockClear();
      await tokensOf(context.generate(PROMPTS, { maxTokens, stop: [] }));
      return spy.mock.calls.length;
    };
    const step = (await dispatchesOf(9)) - (await dispatchesOf(8));
    expect(step).toBeGreaterThanOrEqual(6 + 3);
    expect(step).toBeLessThanOrEqual(7 + 3);
  } finally {
    spy.mockRestore();
  }
});

describe('refused', () => {
  test('a prompt and tokens for which there is no room, nothing taken in', async () => {
    forget();
    await expect(tokensOf(context.generate(PROMPTS, { maxTokens: 33 }))).rejects.toThrow(
      /capacity of at least 41, .*got 40/,
    );
    await expect(context.feed([[], Array.from({ length: 41 }, () => 1), []])).rejects.toThrow(
      /at most 40 tokens/,
    );
    expect(context.lengths).toEqual([0, 0, 0]);
  });

  test('a token outside of the vocabulary, by its place', async () => {
    forget();
    await expect(context.feed([[1], [2, TINY_VOCAB], []])).rejects.toThrow(
      `sequence 1: token 1: expected a whole number below the vocabulary's ${TINY_VOCAB}, got ${TINY_VOCAB}`,
    );
  });

  test('a call while another runs', async () => {
    forget();
    const feeding = context.feed(PROMPTS);
    await expect(context.feed(PROMPTS)).rejects.toThrow(GqaError);
    expect(() => context.truncate(0, 0)).toThrow('got one in a call of feed');
    await feeding;
    expect(context.lengths).toEqual(PROMPTS.map(({ length }) => length));
  });

  // Of other types than f32: notFinite.node.test.ts.
  test('weights that are not finite, by what they give', async () => {
    const files = tinyModel({}, (name, values) => {
      if (name.endsWith('down_proj.weight')) values[5] = NaN;
    });
    const broken = await loadModel(device, await openModelFiles(files));
    // As the context of all, whose kernels are there.
    const texts = await broken.createContext({ batch: 3, capacity: 40, chunk: 8, kType: 'f32' });
    try {
      const prompts = [[1, 2], [3], [4]];
      await expect(tokensOf(texts.generate(prompts, { maxTokens: 1 }))).rejects.toThrow(NotFiniteError);
      await expect(texts.losses(prompts)).rejects.toThrow(NotFiniteError);
    } finally {
      texts.destroy();
      broken.destroy();
    }
  });

  test('a context of a model that was destroyed', async () => {
    const gone = await loadModel(device, await openModelFiles(tinyModel()));
    const texts = await gone.createContext({ batch: 3, capacity: 40, chunk: 8, kType: 'f32' });
    gone.destroy();
    await expect(texts.feed([[1], [], []])).rejects.toThrow('destroyed');
    texts.destroy();
  });
});

describe('files', () => {
  test('are read in part: no more at once than a tensor', async () => {
    const { 'model.safetensors': blob, ...rest } = tinyModel() as Record<string, Blob>;
    const asked: number[] = [];
    const source: ByteSource = {
      size: blob!.size,
      read: async (begin, end) => {
        asked.push(end - begin);
        return new Uint8Array(await blob!.slice(begin, end).arrayBuffer());
      },
    };
    const opened = await openModelFiles({ ...rest, 'model.safetensors': source });
    const headerBytes = asked.splice(0).reduce((sum, bytes) => sum + bytes, 0);
    const loaded = await loadModel(device, opened);
    loaded.destroy();
    expect(asked.reduce((sum, bytes) => sum + bytes, 0)).toBe(blob!.size - headerBytes);
    expect(Math.max(...asked)).toBe(TINY_VOCAB * 16 * 4);
  });

  const without = (name: string): ModelFiles => {
    const { [name]: _, ...rest } = tinyModel();
    return rest;
  };
  const cut = async (bytes: number): Promise<ModelFiles> => {
    const { 'model.safetensors': blob, ...rest } = tinyModel() as Record<string, Blob>;
    return { ...rest, 'model.safetensors': blob!.slice(0, blob!.size - bytes) };
  };
  const config = (fields: Record<string, unknown>) => () => Promise.resolve(tinyModel(fields));
  /** A file in place of the weights. */
  const instead = (name: string, text = ''): Promise<ModelFiles> =>
    Promise.resolve({ ...without('model.safetensors'), [name]: new Blob([text]) });
  const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n';
  const sharded = (): Promise<ModelFiles> => {
    const map = { x: 'a.safetensors', y: 'b.safetensors' };
    const index = new Blob([JSON.stringify({ weight_map: map })]);
    const { 'model.safetensors': weights, ...rest } = tinyModel();
    return Promise.resolve({ ...rest, 'model.safetensors.index.json': index, 'a.safetensors': weights! });
  };

  test('may have another name, and generation_config.json says what ends a text', async () => {
    const { 'model.safetensors': weights, ...rest } = tinyModel({ eos_token_id: 3 });
    const named = { ...rest, 'tiny.safetensors': weights! };
    expect((await openModelFiles(named)).spec.eos).toEqual([3]);
    const generation = new Blob(['{"eos_token_id": [5, 6]}']);
    const { spec } = await openModelFiles({ ...named, 'generation_config.json': generation });
    expect(spec.eos).toEqual([5, 6]);
  });

  test.each([
    ['no config.json', () => Promise.resolve(without('config.json')), /expected a file config\.json/],
    [
      'no weights',
      () => Promise.resolve(without('model.safetensors')),
      /expected model\.safetensors, .*got none/,
    ],
    ['weights of another form', () => instead('pytorch_model.bin'), /got none, but "pytorch_model\.bin"/],
    [
      'two sets of weights',
      () => Promise.resolve({ ...tinyModel(), 'other.safetensors': new Blob() }),
      /two sets of weights/,
    ],
    [
      'a shard that is missing',
      () => sharded(),
      /index\.json: names "b\.safetensors", which is missing \(1 of 2/,
    ],
    ['a pointer of Git LFS', () => instead('model.safetensors', POINTER), /is a pointer of Git LFS/],
    ['an adapter beside it', () => instead('adapter_config.json'), /has an adapter/],
    ['cut weights', () => cut(4), /model\.safetensors/],
    [
      'a type that is not known',
      config({ model_type: 'mamba9' }),
      /type "mamba9" is not known.*known are .*llama/,
    ],
    [
      'a type known by its attention alone',
      config({ model_type: 'mixtral' }),
      /type "mixtral" is not known as a whole/,
    ],
    ['another hidden size', config({ hidden_size: 32 }), /expected \[.*\] by config\.json/],
    ['another vocabulary', config({ vocab_size: 25 }), /expected vocab_size \(25\) rows, got \[24, 16\]/],
    ['more layers', config({ num_hidden_layers: 2 }), /layers\.1.* is missing/],
    ['fewer layers', config({ intermediate_size: 20 }), /down_proj.*20 wide/],
    [
      'an untied head',
      config({ tie_word_embeddings: false }),
      /"lm_head.weight" is missing, and tie_word_embeddings/,
    ],
    ['another activation', config({ hidden_act: 'mish' }), /hidden_act of "mish" is not known/],
    ['RoPE of another kind', config({ rope_scaling: { rope_type: 'ntk' } }), /"ntk" is not known/],
  ])('%s is refused by name', async (_, files, message) => {
    const error = await openModelFiles(await files()).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(GqaError);
    expect((error as Error).message).toMatch(message);
  });
});

describe('memory', () => {
  test('is as planned', async () => {
    const source = await openModelFiles(tinyModel());
    const plan = planMemory(source, { batch: 3, capacity: 40, chunk: 8, kType: 'f32' }, device.facts);
    expect(plan.kv).toBe(context.cache.layout.totalBytes);
    expect(plan.kvPerToken).toBe(2 * 8 * 4);
    // Norms are beside the matrices.
    expect(model.weightBytes - plan.weights).toBe(3 * 64 * 4);
    expect(plan.total).toBe(plan.weights + plan.kv + plan.activations);
  });

  test('that a device does not have is refused before anything is allocated, with what would fit', async () => {
    const source = await openModelFiles(tinyModel());
    const facts = { ...device.facts, maxBindingBytes: 2 ** 20 };
    const long = { capacity: 2 ** 15, kType: 'f32' } as const;
    expect(() => planMemory(source, long, facts)).not.toThrow();
    const over = { capacity: 2 ** 16, kType: 'f32' } as const;
    expect(() => planMemory(source, over, facts)).toThrow(LimitExceededError);
    expect(() => planMemory(source, over, facts)).toThrow(
      /K of one KV head of a sequence.*elements of f16 or bf16 it would fit/,
    );
    expect(() => planMemory(source, { capacity: 0 }, facts)).toThrow(ShapeError);
  });
});
