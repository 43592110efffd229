// teacher.test.ts: a model that learns another one's logits: losses and gradients by the twin, and a head whose logits come in parts.
import { afterEach, describe, expect, test } from 'vitest';
import { describeModel } from '../../src/checkpoint/model/describeModel.ts';
import { copyOut } from '../../src/device/buffers.ts';
import { submitted } from '../../src/device/scopes.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import { wholeRange } from '../../src/train/binder.ts';
import { logitRowsOf } from '../../src/train/head.ts';
import { blocksOf, layOut } from '../../src/train/parameters.ts';
import { TrainingModel, type Batch } from '../../src/train/trainingModel.ts';
import { readParameters, tensorsOf } from '../../src/train/weights.ts';
import { testDevice } from '../support/device.ts';
import { gradientTwin, lossTwin, NO_TARGET } from '../../src/train/reference/gradientTwin.ts';
import { sourceOf, tinyModel, type TinyName } from './tinyModels.ts';

const device = await testDevice();
const made: TrainingModel[] = [];
afterEach(() => made.splice(0).forEach((model) => model.destroy()));

async function modelOf(
  spec: ModelSpec,
  parameters: Float32Array<ArrayBuffer>,
  [batch, context]: readonly [number, number],
  teacher?: TrainingModel | 'none',
): Promise<TrainingModel> {
  const options = {
    batch,
    context,
    learns: teacher !== undefined,
    ...(teacher instanceof TrainingModel && { teacher }),
  };
  const model = await TrainingModel.create(device, spec, parameters, options);
  made.push(model);
  return model;
}

async function gradientsOf(model: TrainingModel, batch: Batch) {
  model.place(batch);
  await submitted(device, 'gradients', (encoder) => model.recordGradients(encoder));
  const read = async (buffer: GPUBuffer) =>
    new Float32Array(await copyOut(device, 'numbers', wholeRange(buffer)));
  return { gradients: await read(model.gradients), losses: await read(model.losses) };
}

const norm = (values: ArrayLike<number>) => Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));
const sum = (values: Float32Array) => values.reduce((all, x) => all + x, 0);

describe('a teacher', () => {
  const tokens = tinyModel('llama').batch.tokens[0]!.slice(0, 3);
  const length = tokens.length;
  const placed = { tokens: Uint32Array.from(tokens), targets: new Uint32Array(length) };
  const parametersOf = async (name: TinyName) => {
    const { spec, tensors } = tinyModel(name);
    return readParameters(layOut(spec), sourceOf(name, spec, tensors));
  };

  test('losses are divergences, and gradients theirs: by the twin, token by token', async () => {
    const [student, teacher] = [tinyModel('llama'), tinyModel('mqa')];
    const truth = new Map<string, Float64Array>();
    let divergence = 0;
    for (let t = 0; t < length; t++) {
      for (let token = 0; token < student.spec.vocabSize; token++) {
        const only = { tokens: [tokens], targets: [tokens.map((_, i) => (i === t ? token : NO_TARGET))] };
        const wanted = Math.exp(-lossTwin(teacher.spec, teacher.tensors, only));
        const { loss, gradients } = gradientTwin(student.spec, student.tensors, only);
        divergence += (wanted * (Math.log(wanted) + loss)) / length;
        for (const [name, values] of gradients) {
          const all = truth.get(name) ?? new Float64Array(values.length);
          truth.set(
            name,
            all.map((value, i) => value + (wanted * values[i]!) / length),
          );
        }
      }
    }
    const teaching = await modelOf(teacher.spec, await parametersOf('mqa'), [1, length]);
    const model = await modelOf(student.spec, await parametersOf('llama'), [1, length], teaching);
    const { gradients, losses } = await gradientsOf(model, placed);
    expect(Math.abs(sum(losses) / length - divergence)).toBeLessThan(2e-5);
    const source = sourceOf('llama', student.spec, student.tensors);
    const tensors = tensorsOf(model.layout, gradients, source);
    const far = [...truth].flatMap(([name, values]) => {
      const off = norm(values.map((value, i) => value - tensors.get(name)!.values[i]!));
      return off <= 2e-5 * norm(values) ? [] : [`${name}: ${off / norm(values)} of its norm`];
    });
    expect(far).toEqual([]);
  });

  test('that is the same model has nothing to teach', async () => {
    const { spec } = tinyModel('llama');
    const parameters = await parametersOf('llama');
    const teaching = await modelOf(spec, parameters, [1, length]);
    const model = await modelOf(spec, parameters, [1, length], teaching);
    const { gradients, losses } = await gradientsOf(model, placed);
    const plain = await gradientsOf(await modelOf(spec, parameters, [1, length], 'none'), placed);
    expect(Math.max(...losses.map(Math.abs))).toBeLessThan(1e-6);
    expect(norm(gradients)).toBeLessThan(1e-6 * norm(plain.gradients));
  });

  test('of another vocabulary, of other sizes, or gone, is refused', async () => {
    const { spec } = tinyModel('llama');
    const parameters = await parametersOf('llama');
    const teaching = await modelOf(spec, parameters, [1, length]);
    const other = (change: Partial<ModelSpec>, sizes: readonly [number, number]) =>
      modelOf({ ...spec, ...change }, parameters, sizes, teaching);
    await expect(other({ vocabSize: 28 }, [1, length])).rejects.toThrow(
      'expected a teacher of 28 tokens, got one of 29',
    );
    await expect(other({}, [2, length])).rejects.toThrow(
      'expected a teacher of 2 x 3 tokens a pass, got one of 1 x 3',
    );
    const model = await other({}, [1, length]);
    teaching.destroy();
    await expect(gradientsOf(model, placed)).rejects.toMatchObject({ code: 'destroyed' });
  });
});

describe('logits in parts', () => {
  const vocab = 131_073;
  const shapes: readonly (readonly [string, readonly number[]])[] = [
    ['model.embed_tokens.weight', [vocab, 8]],
    ...['q', 'k', 'v', 'o'].map((role) => [`model.layers.0.self_attn.${role}_proj.weight`, [8, 8]] as const),
    ...['gate', 'up', 'down'].map((role) => [`model.layers.0.mlp.${role}_proj.weight`, [8, 8]] as const),
    ...['layers.0.input_layernorm', 'layers.0.post_attention_layernorm', 'norm'].map(
      (name) => [`model.${name}.weight`, [8]] as const,
    ),
  ];
  const config = {
    model_type: 'llama',
    hidden_act: 'silu',
    hidden_size: 8,
    intermediate_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    rms_norm_eps: 1e-5,
    vocab_size: vocab,
    tie_word_embeddings: true,
  };
  const described = new Map(shapes.map(([name, shape]) => [name, { name, dtype: 'F32', shape }]));
  const spec = describeModel(described, config, 'wide');
  const layout = layOut(spec);
  const parametersOf = (turn: number) => {
    const all = new Float32Array(layout.count);
    for (const { offset, pieces, columns } of blocksOf(layout)) {
      const count = pieces.reduce((rows, piece) => rows + piece.rows, 0) * columns;
      for (let i = 0; i < count; i++) all[offset + i] = Math.sin(i * turn);
    }
    return all;
  };
  const batchOf = (first: number, rows: number): Batch => ({
    tokens: Uint32Array.from({ length: rows }, (_, i) => ((first + i) * 7919) % vocab),
    targets: Uint32Array.from({ length: rows }, (_, i) => ((first + i) * 104_729) % vocab),
  });

  test.each(['targets', 'a teacher'])(
    'by %s: losses and gradients are those of parts on their own',
    async (by) => {
      expect([logitRowsOf(66, layout.head.rows), logitRowsOf(33, layout.head.rows)]).toEqual([64, 33]);
      const run = async (batch: number, placed: Batch) => {
        const teacher =
          by === 'a teacher' ? await modelOf(spec, parametersOf(0.7), [batch, 33]) : ('none' as const);
        const model = await modelOf(spec, parametersOf(0.3), [batch, 33], teacher);
        const found = await gradientsOf(model, placed);
        made.splice(0).forEach((each) => each.destroy());
        return found;
      };
      const whole = await run(2, batchOf(0, 66));
      const halves = [await run(1, batchOf(0, 33)), await run(1, batchOf(33, 33))];
      const losses = halves.flatMap((half) => [...half.losses]);
      expect(Math.max(...losses.map((loss, i) => Math.abs(loss - whole.losses[i]!)))).toBeLessThan(1e-5);
      const mean = halves[0]!.gradients.map((value, i) => (value + halves[1]!.gradients[i]!) / 2);
      expect(norm(mean.map((value, i) => value - whole.gradients[i]!))).toBeLessThan(1e-5 * norm(mean));
      expect(norm(mean)).toBeGreaterThan(0);
    },
  );
});
