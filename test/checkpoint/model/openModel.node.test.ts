// openModel.node.test.ts: KV heads merged in memory are those that a conversion writes, and what is no whole model is refused.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { convertFolder } from '../../../src/checkpoint/convert/disk/convertFolder.ts';
import type { ConversionOptions, Method } from '../../../src/checkpoint/convert/plan.ts';
import { SafetensorsFile, writeSafetensors } from '../../../src/checkpoint/format/file.ts';
import { readModelFiles, type ModelFiles } from '../../../src/checkpoint/model/fileParts.ts';
import { mergedParts } from '../../../src/checkpoint/model/mergedParts.ts';
import { openModel } from '../../../src/checkpoint/model/disk/openModel.ts';
import { GqaError } from '../../../src/index.ts';

const ROOT = fileURLToPath(new URL('families', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gqa-models-'));
afterAll(() => rmSync(folder, { recursive: true }));

const heads = (kvHeads: number, method: Method): ConversionOptions => ({
  kvHeads,
  method,
  grouping: 'neighbours',
  headMap: 'contiguous',
  renorm: true,
  seed: 7,
});

/** The files of a folder, as a browser has them. */
function filesOf(path: string): ModelFiles {
  const names = readdirSync(path).filter((name) =>
    /^(config\.json|.*safetensors(\.index\.json)?)$/.test(name),
  );
  return Object.fromEntries(names.map((name) => [name, new Blob([readFileSync(join(path, name))])]));
}

describe.each([
  ['llama', 1, 'mean'],
  ['llama', 1, 'pca'],
  ['gpt2', 1, 'aligned'],
  ['gpt_neox', 2, 'random'],
  ['qwen2', 1, 'first'],
  ['t5_v10', 1, 'mean'],
  ['t5_v11', 2, 'pca'],
] as const)('%s with %i KV heads by %s', (family, kvHeads, method) => {
  test('is the model that gqa convert writes, tensor by tensor, from a folder and from its files', async () => {
    const model = join(ROOT, family);
    const out = join(folder, `${family}-${kvHeads}-${method}`);
    await convertFolder({ model, out, ...heads(kvHeads, method) });
    const merged = await openModel(model, heads(kvHeads, method));
    const ofFiles = mergedParts(await readModelFiles(filesOf(model), 'model'), heads(kvHeads, method));
    const written = await openModel(out);
    const plain = (spec: object) => JSON.parse(JSON.stringify(spec)) as unknown;
    expect(plain(merged.spec)).toEqual(plain(written.spec));
    expect(plain(ofFiles.spec)).toEqual(plain(written.spec));
    const file = await SafetensorsFile.open(join(out, 'model.safetensors'));
    try {
      for (const name of file.header.tensors.keys()) {
        expect(merged.tensor(name)!.shape).toEqual(written.tensor(name)!.shape);
        const bytes = await file.read(name);
        expect(Buffer.from(await merged.read(name)).equals(bytes), name).toBe(true);
        expect(Buffer.from(await ofFiles.reader.read(name)).equals(bytes), name).toBe(true);
      }
    } finally {
      await file.close();
      await merged.close();
      await written.close();
    }
  });
});

describe('refused by name', () => {
  /** A copy of a family's folder, changed. */
  function changed(family: string, change: (path: string) => void): string {
    const path = mkdtempSync(join(folder, `${family}-`));
    cpSync(join(ROOT, family), path, { recursive: true });
    change(path);
    return path;
  }
  const config = (fields: object) => (path: string) => {
    const file = join(path, 'config.json');
    const before = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...before, ...fields }));
  };
  const shard = (path: string) =>
    join(
      path,
      readdirSync(path).find((name) => name.endsWith('.safetensors'))!,
    );

  test.each([
    ['a shard that is missing', 'qwen3', (path: string) => rmSync(shard(path)), /is missing/],
    ['a shard that was cut', 'qwen3', (path: string) => truncateSync(shard(path), 4000), /safetensors/],
    ['mixture of experts', 'llama', config({ model_type: 'mixtral' }), /"mixtral" is not known as a whole/],
    [
      'another encoder and decoder',
      't5_v11',
      config({ model_type: 'mt5' }),
      /"mt5" is not known as a whole.*t5/,
    ],
    ['T5 of the tensors of another', 'llama', config({ model_type: 't5' }), /.+/],
    [
      'fewer layers of an encoder',
      't5_v11',
      config({ num_layers: 2 }),
      /none that a model of its type has: "encoder\.block\.2/,
    ],
    [
      'more layers of an encoder',
      't5_v10',
      config({ num_layers: 3 }),
      /"encoder\.block\.2.*is missing: layer 2 of 3/,
    ],
    [
      'other buckets',
      't5_v10',
      config({ relative_attention_num_buckets: 32 }),
      /relative_attention_num_buckets \(32\).*got \[10, 3\]/,
    ],
    [
      'a distance within the buckets',
      't5_v10',
      config({ relative_attention_max_distance: 4 }),
      /relative_attention_max_distance: expected a whole number above half of the 10/,
    ],
    [
      'a gate that the tensors lack',
      't5_v10',
      config({ feed_forward_proj: 'gated-gelu' }),
      /is_gated_act|wi_/,
    ],
    [
      'a start token beyond the vocabulary',
      't5_v10',
      config({ decoder_start_token_id: 90 }),
      /decoder_start_token_id: expected a token of the vocabulary of 90, got 90/,
    ],
    ['another feed-forward width', 't5_v10', config({ d_ff: 40 }), /wo.*40 wide/],
    [
      'an encoder that is switched off',
      't5_v10',
      config({ is_encoder_decoder: false }),
      /is_encoder_decoder of false is not known/,
    ],
    [
      'a base that is a text',
      'llama',
      config({ rope_scaling: 'linear' }),
      /rope_scaling: expected an object/,
    ],
    [
      'dynamic scaling',
      'llama',
      config({ rope_scaling: { type: 'dynamic', factor: 2 } }),
      /"dynamic" is not known/,
    ],
    [
      'more KV heads than the tensors have',
      'llama',
      config({ num_key_value_heads: 4 }),
      /k_proj.*expected \[40, 40\]/,
    ],
    ['cross-attention', 'gpt2', config({ add_cross_attention: true }), /cross/],
    ['tensors of another model', 'qwen3', config({ model_type: 'phi3' }), /.+/],
    ['quantised weights', 'llama', config({ quantization_config: { quant_method: 'awq' } }), /quantised/],
  ])('%s', async (_, family, change, message) => {
    const path = changed(family, change);
    const error = await openModel(path).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(GqaError);
    expect((error as Error).message).toMatch(message);
  });

  test('T5 without a tensor of its encoder', async () => {
    const path = changed('t5_v11', () => {});
    const file = await SafetensorsFile.open(join(path, 'model.safetensors'));
    const names = [...file.header.tensors.keys()];
    const without = 'encoder.block.1.layer.0.SelfAttention.k.weight';
    const kept = await Promise.all(
      names
        .filter((name) => name !== without)
        .map(async (name) => {
          const { shape, data } = await file.readFloat32(name);
          return { name, dtype: 'F32', shape: [...shape], data } as const;
        }),
    );
    await file.close();
    await writeSafetensors(join(path, 'model.safetensors'), kept);
    await expect(openModel(path)).rejects.toThrow(
      `tensor "${without}" is missing: layer 1 of 3 must have it`,
    );
  });

  test('KV heads that do not divide the query heads', async () => {
    await expect(openModel(join(ROOT, 'llama'), heads(3, 'mean'))).rejects.toThrow(/3/);
  });

  test('generation_config.json says what ends a text', async () => {
    const path = changed('llama', (to) =>
      writeFileSync(join(to, 'generation_config.json'), '{"eos_token_id": [5, 6]}'),
    );
    const model = await openModel(path);
    expect(model.spec.eos).toEqual([5, 6]);
    await model.close();
  });
});
