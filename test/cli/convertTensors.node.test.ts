// convertTensors.node.test.ts: what is not plain attention weights: other attention, quantised weights, odd types, NaN.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CHECKPOINTS, noise, writeCheckpoint, type CheckpointSpec } from '../support/checkpoints.ts';
import { readAllBytes } from '../support/convertFolder.ts';
import { gqaMain } from '../support/gqaMain.ts';

let folder = '';
let source = '';
let out = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gqa-tensors-'));
  [source, out] = [join(folder, 'source'), join(folder, 'out')];
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const LLAMA = CHECKPOINTS['llama']!;
const K = 'model.layers.1.self_attn.k_proj.weight';
const convert = (...args: string[]) => gqaMain('convert', source, '--kv-heads', '2', '--out', out, ...args);
const withTensors = (...more: (readonly [string, readonly number[]])[]): CheckpointSpec => ({
  ...LLAMA,
  tensors: [...LLAMA.tensors, ...more],
});

/** The error of a run that must fail and leave nothing. */
async function refusal(...args: string[]): Promise<string> {
  const { err, code } = await convert(...args);
  expect(code).toBe(1);
  expect(await readdir(folder)).toEqual(['source']);
  return err.slice(err.indexOf('error: '));
}

/** Llama's layers by --map. */
const MAP = ['q', 'k', 'v', 'o'].flatMap((x) => [
  '--map',
  `${x}=model.layers.{layer}.self_attn.${x}_proj.weight`,
]);

describe('attention elsewhere', () => {
  test.each([
    ['a layer that guesses ahead', 'model.mtp_layers.0.self_attn.k_proj.weight', [32, 32]],
    ['its bias', 'mtp.self_attn.v_proj.bias', [32]],
    ['a draft head of other names', 'eagle.attn.wk.weight', [32, 32]],
    ['cross-attention', 'model.layers.0.cross_attn.v_proj.weight', [32, 32]],
    ['attention to an encoder', 'model.decoder.layers.0.encoder_attn.v_proj.weight', [32, 32]],
  ] as const)('%s of the same shape: refused', async (_, name, shape) => {
    const biased = name.endsWith('bias') ? CHECKPOINTS['qwen2']! : LLAMA;
    await writeCheckpoint(source, { ...biased, tensors: [...biased.tensors, [name, shape]] });
    for (const more of name.endsWith('bias') ? [[]] : [[], MAP]) {
      expect(await refusal(...more)).toContain(
        `source: tensor "${name}" [${shape.join(', ')}] has the name and the shape of a key or value projection, but is of none of the 2 layers: it would keep its heads under a config that says otherwise`,
      );
    }
  });

  test('a layer past the last, under --map', async () => {
    await writeCheckpoint(source, withTensors(['model.layers.2.self_attn.k_proj.weight', [32, 32]]));
    expect(await refusal(...MAP)).toContain('is one too many: config.json has 2 layers, this is of layer 2');
  });

  test('of a vision model, or of another shape: copied, and named', async () => {
    const vision = (n: number) => [`vision_tower.layers.${n}.self_attn.k_proj.weight`, [32, 32]] as const;
    await writeCheckpoint(source, withTensors(vision(0), vision(1), ['draft.attn.k_proj.weight', [8, 32]]));
    const note =
      '3 tensors of attention outside the converted layers keep their heads: vision_tower.layers.{n}.self_attn.k_proj.weight, draft.attn.k_proj.weight';
    expect((await convert('--dry-run')).out).toContain(note);
    expect((await convert()).err).toContain(note);
  });

  test("T5's encoder", async () => {
    await writeCheckpoint(source, CHECKPOINTS['t5']!);
    expect((await convert('--dry-run')).out).toContain(
      '4 tensors of attention outside the converted layers keep their heads: encoder.block.{n}.layer.0.SelfAttention.k.weight, encoder.block.{n}.layer.0.SelfAttention.v.weight',
    );
  });
});

test('norms inside attention that --map cannot name: no heads are turned', async () => {
  await writeCheckpoint(source, withTensors(['model.layers.0.self_attn.q_norm.weight', [8]]));
  expect(await refusal(...MAP, '--method', 'pca', '--rope', 'half')).toContain(
    'tensor "model.layers.0.self_attn.q_norm.weight" normalises queries or keys in a way that is not known, which --method pca',
  );
  expect((await convert(...MAP)).code).toBeUndefined();
});

test('a vision model of the same names: the text model is converted', async () => {
  const side = (prefix: string) => LLAMA.tensors.map(([name, shape]) => [prefix + name, shape] as const);
  const tensors = [...side('model.language_model.'), ...side('model.visual.')];
  await writeCheckpoint(source, { ...LLAMA, tensors });
  expect((await convert()).err).toContain(
    '4 tensors of attention outside the converted layers keep their heads',
  );
  const [before, after] = [await readAllBytes(source), await readAllBytes(out)];
  const sizes = (prefix: string) => [before, after].map((all) => all.get(prefix + K)!.byteLength);
  expect(sizes('model.language_model.')).toEqual([4096, 2048]);
  expect(sizes('model.visual.')).toEqual([4096, 4096]);
});

test('an encoder of the same names may share the config: refused', async () => {
  const side = (prefix: string) => LLAMA.tensors.map(([name, shape]) => [prefix + name, shape] as const);
  await writeCheckpoint(source, { ...LLAMA, tensors: [...side('encoder.'), ...side('decoder.')] });
  expect(await refusal()).toContain(
    'several models in one checkpoint, their tensors under "encoder.model.", "decoder.model."; say which with --map',
  );
});

describe('adapters in the weights', () => {
  test.each([
    'model.layers.0.self_attn.k_proj.lora_A.default.weight',
    'model.layers.0.self_attn.q_proj.base_layer.weight',
    'lora.layers.0.self_attn.v_proj.lora_B.weight',
    'model.layers.0.self_attn.k_proj.lora_magnitude_vector.default.weight',
    'lora_unet_layers_0_attn_k.lora_down.weight',
  ])('%s', async (name) => {
    await writeCheckpoint(source, withTensors([name, [32, 4]]));
    for (const more of [[], MAP]) {
      expect(await refusal(...more)).toContain(
        `source: has an adapter (tensor "${name}"), which does not fit other heads; merge it into the weights first`,
      );
    }
  });
});

describe('quantised', () => {
  const SENTENCE =
    'heads cannot be merged as codes without their scales: convert the original, and quantise the result';
  test.each([
    'model.layers.0.self_attn.k_proj.weight_scale_inv',
    'model.layers.0.self_attn.k_proj.weight_scale',
    'model.layers.0.self_attn.k_proj.qweight',
    'model.layers.0.self_attn.k_proj.qzeros',
    'model.layers.0.self_attn.k_proj.g_idx',
    'model.layers.0.self_attn.k_proj.SCB',
    'model.layers.0.self_attn.k_proj.scales',
    'model.layers.0.self_attn.k_proj.weight.absmax',
    'model.layers.0.self_attn.k_proj.weight.quant_state.bitsandbytes__nf4',
    'model.layers.0.self_attn.k_proj.weight_packed',
    'model.layers.0.self_attn.k_scale',
    'model.layers.0.mlp.gate_proj.weight_scale_2',
    'model.layers.0.mlp.gate_proj.input_scale',
    'model.layers.0.mlp.gate_proj.input_scale_ub',
    'model.layers.0.mlp.gate_proj.weight.nested_absmax',
    'model.layers.0.mlp.gate_proj.weight._data._data',
    'model.layers.0.mlp.gate_proj.weight._shift',
    'model.layers.0.mlp.gate_proj._weight_qdata',
    'model.layers.0.mlp.gate_proj.W_q',
    'model.layers.0.mlp.gate_proj.Qidxs',
    'model.layers.0.mlp.gate_proj.trellis',
    'model.layers.0.mlp.gate_proj.bitmask',
  ])('%s', async (name) => {
    await writeCheckpoint(source, withTensors([name, [4]]));
    for (const more of [[], MAP]) {
      expect(await refusal(...more)).toContain(`source: is quantised (tensor "${name}"); ${SENTENCE}`);
    }
  });

  test.each([
    ['quantization_config, quant_method "fp8"', { quantization_config: { quant_method: 'fp8' } }],
    [
      'text_config.quantization_config',
      { text_config: { ...LLAMA.config, quantization_config: { bits: 4 } } },
    ],
    ['compression_config', { compression_config: { format: 'x' } }],
    ['quantization_config', { quantization_config: 'fp8' }],
    ['quantization', { quantization: { bits: 4, group_size: 64 } }],
    ['quantize_config', { quantize_config: { bits: 4 } }],
    ['quant_config', { quant_config: { w_bit: 4 } }],
    ['quant_method', { quant_method: 'bitnet' }],
    ['quantization_bit', { quantization_bit: 4 }],
  ])('%s', async (said, config) => {
    await writeCheckpoint(source, LLAMA, { config: { ...LLAMA.config, ...config } });
    for (const more of [[], MAP])
      expect(await refusal(...more)).toContain(
        `is quantised (config.json has ${said}); ${SENTENCE}; if these weights are whole again, remove that field`,
      );
  });

  test('both by a field and by tensors: no field to remove', async () => {
    const config = { ...LLAMA.config, quantization_config: { quant_method: 'gptq' } };
    await writeCheckpoint(source, withTensors(['model.layers.0.mlp.gate_proj.qweight', [4]]), { config });
    expect((await refusal()).trimEnd()).toMatch(/quantise the result$/);
  });

  test.each([
    ['a field that is empty', { quantization_config: {} }],
    ['no bits', { quantization_bit: 0 }],
    ['none', { quantization: 'none' }],
  ])('%s says nothing', async (_, fields) => {
    await writeCheckpoint(source, LLAMA, { config: { ...LLAMA.config, ...fields } });
    expect((await convert()).code).toBeUndefined();
  });

  test('scales of other kinds are not taken for it', async () => {
    const config = { ...LLAMA.config, quantization_config: null };
    const spec = withTensors(
      ['model.layers.0.layer_scale', [32]],
      ['logit_scale', []],
      ['model.embed_scale', [1]],
    );
    await writeCheckpoint(source, spec, { config });
    expect((await convert()).code).toBeUndefined();
  });
});

describe('types', () => {
  /** The file with the dtype of a tensor renamed and its shape in elements of that type. */
  async function retype(name: string, dtype: string, shape: readonly number[]): Promise<void> {
    const path = join(source, 'model.safetensors');
    const bytes = await readFile(path);
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, object>;
    header[name] = { ...header[name], dtype, shape };
    const json = Buffer.from(JSON.stringify(header));
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(json.length));
    await writeFile(path, Buffer.concat([prefix, json, bytes.subarray(8 + length)]));
  }

  test.each([
    ['F8_E8M0', [128]],
    ['F4', [256]],
    ['F6_E2M3', [128, 4, 1]],
    ['C64', [16]],
    ['U16', [64]],
    ['NF3_NEW', [7]],
  ])('%s that is only copied is copied', async (dtype, shape) => {
    // 128 bytes as F32 [32]; F6 needs a multiple of 3.
    const wide = dtype === 'F6_E2M3' ? [96] : [32];
    const name = 'model.table';
    await writeCheckpoint(source, withTensors([name, wide]));
    await retype(name, dtype, shape);
    const { err, code } = await convert();
    expect(err).not.toContain('error');
    expect(code).toBeUndefined();
    const [before, after] = [await readAllBytes(source), await readAllBytes(out)];
    expect(after.get(name)).toEqual(before.get(name));
    expect((await convert('--dry-run')).out).toContain(dtype);
  });

  test('one that would be merged is refused', async () => {
    await writeCheckpoint(source, LLAMA);
    await retype(K, 'NF3_NEW', [32, 32]);
    expect(await refusal()).toContain(`tensor "${K}": dtype NF3_NEW cannot be averaged`);
    expect(await refusal('--method', 'first')).toContain('dtype NF3_NEW can only be copied whole');
  });

  test('tensors of no elements', async () => {
    await writeCheckpoint(source, withTensors(['model.empty', [0, 32]], ['model.scalar', []]));
    expect((await convert()).code).toBeUndefined();
    expect((await readAllBytes(out)).get('model.empty')!.byteLength).toBe(0);
  });
});

describe('numbers that are not finite', () => {
  const bad = (at: string, ...values: number[]) =>
    writeCheckpoint(source, LLAMA, {
      fill: (name, shape) => {
        const all = Float32Array.from(noise(name, shape));
        if (name === at) all.set(values, 40);
        return all;
      },
    });

  test.each(['mean', 'random', 'aligned', 'pca'])(
    '%s would spread them: refused, with tensor and count',
    async (method) => {
      await bad(K, NaN, Infinity, -Infinity);
      expect(await refusal('--method', method)).toMatch(
        method === 'mean' || method === 'random'
          ? `tensor "${K}": 3 of 1024 numbers are NaN or infinity, which merging would spread to other heads; expected finite weights`
          : `tensor "${K}": expected finite numbers, which turning and judging heads needs`,
      );
    },
  );

  test('what is copied is copied', async () => {
    await bad(K, NaN);
    expect((await convert('--method', 'first')).code).toBeUndefined();
    await rm(out, { recursive: true });
    await bad('model.embed_tokens.weight', NaN);
    expect((await convert()).code).toBeUndefined();
  });

  test.each(['F16', 'BF16'] as const)('in %s too', async (dtype) => {
    await writeCheckpoint(source, LLAMA, {
      dtype,
      fill: (name, shape) =>
        Float32Array.from(noise(name, shape), (x, i) => (name === K && i === 5 ? -Infinity : x)),
    });
    expect(await refusal()).toContain('1 of 1024 numbers are NaN or infinity');
  });
});
