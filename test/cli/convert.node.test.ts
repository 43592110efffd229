// convert.node.test.ts: `gqa convert` as people run it: what it writes, prints and says of itself.
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openModelFolder } from '../../src/checkpoint/convert/disk/modelFolder.ts';
import { writeSafetensors } from '../../src/checkpoint/format/file.ts';
import { registerConvert } from '../../cli/convert/convert.ts';
import { GqaError } from '../../src/device/errors.ts';
import { CHECKPOINTS, HIDDEN, noise, writeCheckpoint, type WriteOptions } from '../support/checkpoints.ts';
import { readAllBytes } from '../support/convertFolder.ts';

let folder = '';
let out = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gqa-convert-'));
  out = join(folder, 'out');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

interface Outcome {
  readonly out: string;
  readonly err: string;
}

/** Runs `gqa convert ...args` on a fresh program. What it rejects with stands behind its errors. */
async function convert(...args: string[]): Promise<Outcome> {
  const outcome = { out: '', err: '' };
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((outcome.err += String(text)), true));
  const program = new Command('gqa').exitOverride().configureOutput({
    writeOut: (text) => void (outcome.out += text),
    writeErr: (text) => void (outcome.err += text),
  });
  registerConvert(program);
  try {
    await program.parseAsync(['convert', ...args], { from: 'user' });
  } catch (error) {
    if (error instanceof GqaError) outcome.err += `error: ${error.message}\n`;
    else if (!(error instanceof CommanderError)) throw error;
  } finally {
    vi.restoreAllMocks();
  }
  return outcome;
}

const source = (family = 'llama', options: WriteOptions = {}) =>
  writeCheckpoint(join(folder, 'source'), CHECKPOINTS[family]!, options);

describe('a conversion', () => {
  test('writes a model that says where it comes from', async () => {
    const from = await source('llama', { shards: 2 });
    const { out: said, err } = await convert(from, '--kv-heads', '2', '--out', out);
    expect(said).toBe(
      `heads    4 query heads, KV heads 4 -> 2: query head h reads KV head floor(h / 2)
KV cache 256 B -> 128 B a token (two-byte elements, 2 layers)
tensors  56.375 KiB -> 48.375 KiB
${out} is whole: 2 shards, 4 tensors rewritten, 13 copied, 2 other files
`,
    );
    expect(err).toContain('note     quality is lost until the result is trained further (uptraining)\n');
    expect(err).toContain('note     weights in other forms are not copied: pytorch_model.bin\n');
    expect(err).toMatch(/^\d+ %, model-0000[12]-of-00002\.safetensors: \S+ \S+ of \S+ KiB/m);
    expect(err.match(/^\d+ %/gm)!.length).toBeLessThanOrEqual(11);
    expect(err).toMatch(/\n100 %, done\n$/);
    const model = await openModelFolder(out);
    expect(model.config).toMatchObject({ num_key_value_heads: 2, head_dim: 8, num_attention_heads: 4 });
    expect(model.index).toEqual({
      metadata: { total_size: 48.375 * 1024 },
      weight_map: Object.fromEntries([...model.shardOf].map(([name, shard]) => [name, shard.name])),
    });
    const { metadata } = model.shards[0]!.header;
    expect({ ...metadata }).toEqual({
      format: 'pt',
      'gqa.tool': expect.stringMatching(/^gqa-webgpu \d/),
      'gqa.source': 'source',
      'gqa.family': 'llama',
      'gqa.kv_heads': '4 -> 2',
      'gqa.head_map': 'query head h reads KV head floor(h / 2)',
      'gqa.source_head_map': 'contiguous',
      'gqa.method': 'mean',
      'gqa.grouping': 'neighbours',
      'gqa.source_rewritten_sha256': expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const record: unknown = JSON.parse(await readFile(join(out, 'gqa-conversion.json'), 'utf8'));
    expect(record).toMatchObject({
      method: 'mean',
      source_shards_sha256: {
        [model.shards[0]!.name]: { rewritten: metadata['gqa.source_rewritten_sha256'] },
      },
    });
    expect(await readdir(folder)).toEqual(['out', 'source']);
  });

  test('--hash: the hash of the source file, as sha256sum gives it', async () => {
    const from = await source();
    await convert(from, '--kv-heads', '1', '--out', out, '--hash');
    const { shards } = await openModelFolder(out);
    const bytes = await readFile(join(from, 'model.safetensors'));
    expect(shards[0]!.header.metadata['gqa.source_sha256']).toBe(
      createHash('sha256').update(bytes).digest('hex'),
    );
  });

  test('of a conversion keeps what was said before', async () => {
    await convert(await source(), '--kv-heads', '2', '--out', out, '--method', 'random', '--seed', '7');
    const again = join(folder, 'again');
    await convert(out, '--kv-heads', '1', '--out', again, '--method', 'first');
    const { metadata } = (await openModelFolder(again)).shards[0]!.header;
    expect(metadata).toMatchObject({ 'gqa.method': 'first', 'gqa.kv_heads': '2 -> 1', format: 'pt' });
    expect(JSON.parse(metadata['gqa.before']!)).toMatchObject({ 'gqa.method': 'random', 'gqa.seed': '7' });
  });

  test('run again: whole already, and nothing is written', async () => {
    const from = await source();
    await convert(from, '--kv-heads', '2', '--out', out);
    const before = await readAllBytes(out);
    const { out: said, err } = await convert(from, '--kv-heads', '2', '--out', out);
    expect(said).toBe(`${out} is whole already, of this very conversion\n`);
    expect(err).not.toContain('error');
    expect(await readAllBytes(out)).toEqual(before);
  });

  test('an engine must know GQA where the family does not', async () => {
    const { err } = await convert(await source('gpt-2'), '--kv-heads', '1', '--out', out);
    expect(err).toContain('gpt-2 has no field for KV heads in its own code: only an engine that reads');
    expect(JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))).toEqual({
      ...CHECKPOINTS['gpt-2']!.config,
      num_key_value_heads: 1,
    });
  });

  test('a vision model beside it, with projections of the same names, is left alone', async () => {
    const { config, tensors } = CHECKPOINTS['llama']!;
    const vision = ['q', 'k', 'v'].map(
      (x) => [`vision.layers.0.self_attn.${x}_proj.weight`, [8, 8]] as const,
    );
    const from = await writeCheckpoint(join(folder, 'source'), { config, tensors: [...vision, ...tensors] });
    expect((await convert(from, '--kv-heads', '2', '--out', out)).out).toContain(
      '4 tensors rewritten, 16 copied',
    );
  });

  test('the config of a model inside another is updated where it stands', async () => {
    const text = { ...CHECKPOINTS['llama']!.config, model_type: 'llama' };
    const from = await source('llama', {
      config: { model_type: 'gemma3', text_config: text, vision_config: { x: 1 } },
    });
    await convert(from, '--kv-heads', '2', '--out', out);
    expect(JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))).toEqual({
      model_type: 'gemma3',
      text_config: { ...text, num_key_value_heads: 2, head_dim: 8 },
      vision_config: { x: 1 },
    });
  });

  test('half precision is averaged in float64 and rounded once', async () => {
    const from = await source('llama', { dtype: 'BF16' });
    await convert(from, '--kv-heads', '2', '--out', out);
    const name = 'model.layers.0.self_attn.k_proj.weight';
    const [before, after] = [(await readAllBytes(from)).get(name)!, (await readAllBytes(out)).get(name)!];
    const value = (bytes: Uint8Array, i: number) =>
      new Float32Array(Uint32Array.of((bytes[2 * i]! | (bytes[2 * i + 1]! << 8)) << 16).buffer)[0]!;
    for (let i = 0; i < 8 * HIDDEN; i++) {
      const mean = (value(before, i) + value(before, i + 8 * HIDDEN)) / 2;
      expect(Math.abs(value(after, i) - mean)).toBeLessThanOrEqual(Math.abs(mean) * 2 ** -8);
    }
  });
});

describe('--map', () => {
  const entries = (names: Record<string, string>) =>
    Object.entries(names).flatMap(([role, name]) => ['--map', `${role}=${name}`]);
  const META = { q: 'wq', k: 'wk', v: 'wv', o: 'wo' };

  test('a family of its own names converts as Llama does', async () => {
    const renamed = (name: string) =>
      name.replace(/model\.layers\.(\d+)\.self_attn\.(\w)_proj/, 'layers.$1.attention.w$2');
    const { config, tensors } = CHECKPOINTS['llama']!;
    const own = { config, tensors: tensors.map(([name, shape]) => [renamed(name), shape] as const) };
    const back = new Map(tensors.map(([name]) => [renamed(name), name]));
    const fill = (name: string, shape: readonly number[]) => noise(back.get(name)!, shape);
    const from = await writeCheckpoint(join(folder, 'source'), own, { fill });
    const names = Object.fromEntries(
      Object.entries(META).map(([role, name]) => [role, `layers.{layer}.attention.${name}.weight`]),
    );
    const { err } = await convert(from, '--kv-heads', '2', '--out', out, ...entries(names));
    expect(err).not.toContain('error');
    const llama = await writeCheckpoint(join(folder, 'llama'), CHECKPOINTS['llama']!);
    await convert(llama, '--kv-heads', '2', '--out', join(folder, 'out2'));
    const [a, b] = [await readAllBytes(out), await readAllBytes(join(folder, 'out2'))];
    for (const [name, bytes] of a) expect(bytes).toEqual(b.get(back.get(name)!));
  });

  test('a fused, transposed projection converts as GPT-2 does', async () => {
    const from = await source('gpt-2');
    const names = {
      qkv: 'h.{layer}.attn.c_attn.weight:transposed',
      o: 'h.{layer}.attn.c_proj.weight:transposed',
    };
    const { err } = await convert(from, '--kv-heads', '2', '--out', out, ...entries(names));
    expect(err).not.toContain('error');
    await convert(from, '--kv-heads', '2', '--out', join(folder, 'out2'));
    expect(await readAllBytes(out)).toEqual(await readAllBytes(join(folder, 'out2')));
  });

  test('turning heads needs to know how positions rotate them', async () => {
    const from = await source('llama', { config: { ...CHECKPOINTS['llama']!.config, model_type: 'novel' } });
    const args = [from, '--kv-heads', '2', '--out', out, '--method', 'aligned'];
    const { err } = await convert(...args);
    expect(err).toContain(
      'error: ' +
        `${from}: --method aligned turns keys, and must know how positions rotate them, which model_type "novel" does not say; give --rope half, interleaved or none`,
    );
    expect((await convert(...args, '--rope', 'interleaved')).out).toContain('is whole');
    // Heads that are only put in another order stay what they are; the report's output is said to be without rotation.
    const similar = [from, '--kv-heads', '2', '--grouping', 'similar'];
    expect((await convert(...similar, '--out', join(folder, 'out2'))).out).toContain('is whole');
    const unknown = 'note     how positions rotate q and k is not known';
    expect((await convert(...similar, '--report')).err).toContain(unknown);
    expect((await convert(...similar, '--report', '--rope', 'half')).err).not.toContain(unknown);
  });
});

describe('--dry-run', () => {
  test('lists every tensor, and writes nothing', async () => {
    const from = await source('qwen2');
    const { out: said } = await convert(
      from,
      '--kv-heads',
      '1',
      '--dry-run',
      '--method',
      'pca',
      '--out',
      out,
    );
    const lines = said.split('\n');
    expect(lines).toHaveLength(2 + CHECKPOINTS['qwen2']!.tensors.length + 1 + 3 + 1 + 1);
    expect(said).toMatch(
      /\| model\.layers\.1\.self_attn\.k_proj\.bias +\| F32 +\| +\[32\] \| +\[8\] \| heads merged +\|/,
    );
    expect(said).toMatch(
      /\| model\.layers\.0\.self_attn\.o_proj\.weight +\| F32 +\| \[32, 32\] \| \[32, 32\] \| heads turned or moved \|/,
    );
    expect(said).toMatch(/\| model\.norm\.weight +\| F32 +\| +\[32\] \| +\| copied +\|/);
    expect(said).toContain('KV cache 256 B -> 64 B a token');
    expect(await readdir(folder)).toEqual(['source']);
  });

  test('as JSON', async () => {
    const { out: said } = await convert(await source('t5'), '--kv-heads', '2', '--dry-run', '-o', 'json');
    const plan = JSON.parse(said) as { tensors: { name: string; to: number[] }[]; notes: string[] };
    expect(plan).toMatchObject({
      family: 't5',
      kvHeads: { from: 4, to: 2 },
      cacheBytesPerToken: { from: 256, to: 128 },
      options: { method: 'mean', kvHeads: 2 },
    });
    expect(plan.tensors).toContainEqual({
      name: 'decoder.block.1.layer.1.EncDecAttention.v.weight',
      shard: 'model.safetensors',
      dtype: 'F32',
      from: [32, 24],
      to: [16, 24],
      action: 'heads merged',
    });
    expect(plan.tensors.filter(({ name, to }) => name.startsWith('encoder') && to[0] === 16)).toEqual([]);
    expect(plan.notes.join()).toContain('t5 has no field for KV heads');
  });
});

describe('--report', () => {
  test('a table with a row for each layer and columns for each number of KV heads; writes no model', async () => {
    const { out: said } = await convert(await source(), '--kv-heads', '4,2,1', '--report', '--method', 'pca');
    const lines = said.split('\n');
    expect(lines[0]).toBe(
      'source   llama · 4 query heads, 4 KV heads · method pca, neighbours · judged on weights alone (white inputs)',
    );
    expect(lines[2]).toMatch(
      /^\| layer \| 4 KV: keys \| values \| output \| 2 KV: keys \| values \| output \| 1 KV: keys/,
    );
    expect(lines[4]).toMatch(/^\| 0 +\| +0\.0 % \| +0\.0 % \| +0\.0 % \| +\d\d\.\d % \|/);
    expect(lines[6]).toMatch(/^\| all/);
    expect(said).toContain('KV cache of a token: 4 KV heads 256 B, 2 KV heads 128 B, 1 KV heads 64 B');
    expect(await readdir(folder)).toEqual(['source']);
  });

  test('as JSON and as a picture, for some layers, with a model beside it', async () => {
    const [json, svg] = [join(folder, 'report.json'), join(folder, 'report.svg')];
    const files = ['--export-json', json, '--plot', svg];
    const args = [
      '--kv-heads',
      '2',
      '--report',
      '--report-layers',
      '1',
      '-o',
      'json',
      ...files,
      '--out',
      out,
    ];
    const { out: said } = await convert(await source('t5'), ...args);
    const report = JSON.parse(await readFile(json, 'utf8')) as { modules: { keys: number[] }[] };
    expect(said.startsWith(JSON.stringify(report, null, 2))).toBe(true);
    expect(said).toContain(`${out} is whole`);
    expect(report).toMatchObject({
      schema: 'gqa-convert-report/1',
      inputs: 'weights',
      cacheBytesPerToken: { 4: 256, 2: 128 },
      modules: [
        {
          module: 'decoder.block.1.layer.0.SelfAttention',
          layer: 1,
          kind: 'self',
          kvHeads: 2,
          groups: [
            [0, 1],
            [2, 3],
          ],
        },
        { module: 'decoder.block.1.layer.1.EncDecAttention', kind: 'cross' },
      ],
    });
    expect(report.modules.every(({ keys }) => keys.length === 4 && keys.every((x) => x > 0.1 && x < 1))).toBe(
      true,
    );
    const picture = await readFile(svg, 'utf8');
    expect(picture).toMatch(/^<svg xmlns=.*<\/svg>\n$/s);
    expect(picture.match(/<title>head \d: /g)).toHaveLength(2 * 2 * 4);
  });

  test('calibration text is what it is judged on, once there is some', async () => {
    const from = await source();
    const hidden = join(folder, 'hidden.safetensors');
    const states = (layer: number, shape: number[]) => ({
      name: `model.layers.${layer}.self_attn`,
      dtype: 'F32' as const,
      shape,
      data: Float32Array.from(noise(`states ${layer}`, shape)),
    });
    await writeSafetensors(hidden, [states(0, [2, 24, HIDDEN]), states(1, [48, HIDDEN])]);
    const args = [from, '--kv-heads', '2', '--report', '--method', 'aligned'];
    const { out: said } = await convert(...args, '--calibration', hidden);
    expect(said).toContain('judged on calibration text');
    expect(said).not.toBe((await convert(...args)).out);
    const { err } = await convert(
      from,
      '--kv-heads',
      '2',
      '--method',
      'pca',
      '--calibration',
      hidden,
      '--out',
      out,
    );
    expect(err).not.toContain('error');
    const { metadata } = (await openModelFolder(out)).shards[0]!.header;
    const hash = createHash('sha256')
      .update(await readFile(hidden))
      .digest('hex');
    expect(metadata['gqa.calibration_sha256']).toBe(hash);
    const inside = [states(0, [2, 24, HIDDEN]), states(1, [48, HIDDEN])].map((tensor) => ({
      ...tensor,
      name: `wrapper.${tensor.name}`,
    }));
    await writeSafetensors(hidden, inside);
    expect((await convert(...args, '--calibration', hidden)).out).toContain('judged on calibration text');
    await writeSafetensors(hidden, [states(0, [2, 24, HIDDEN])]);
    expect((await convert(...args, '--calibration', hidden)).err).toContain(
      `error: ${hidden}: tensor "model.layers.1.self_attn": expected F32, F16 or BF16 [sequences, tokens, 32] or [tokens, 32]; not in the file`,
    );
    await writeSafetensors(hidden, [states(0, [24, HIDDEN + 1]), states(1, [24, HIDDEN])]);
    expect((await convert(...args, '--calibration', hidden)).err).toContain(
      'the hidden size last; got F32 [24, 33]',
    );
    await writeSafetensors(hidden, [states(0, [7, HIDDEN]), states(1, [24, HIDDEN])]);
    expect((await convert(...args, '--calibration', hidden)).err).toContain(
      'expected at least 8 tokens (head_dim), got 7',
    );
  });
});

describe('usage errors', () => {
  test.each([
    [['--kv-heads', '2'], 'expected --out FOLDER, --dry-run or --report, got none of them'],
    [
      ['--kv-heads', '2,1', '--out', '/x'],
      'expected one number of KV heads, or --report without --out, got 2, 1',
    ],
    [['--kv-heads', '0', '--dry-run'], 'expected a whole number from 1'],
    [['--dry-run'], "required option '--kv-heads <n>' not specified"],
    [['--kv-heads', '3', '--dry-run'], 'query heads (4) must be a multiple of KV heads (3)'],
    [['--kv-heads', '8', '--dry-run'], 'KV heads (8) must be at most the number of query heads (4)'],
    [['--kv-heads', '2', '--report', '--method', 'random'], 'random heads keep nothing of the source'],
    [
      ['--kv-heads', '2', '--report', '--report-layers', '2'],
      '--report-layers: expected layers from 0 to 1, got 2',
    ],
    [['--kv-heads', '2', '--dry-run', '--plot', 'x.svg'], '--report-layers are of the report'],
    [['--kv-heads', '2', '--dry-run', '--report-layers', '0'], '--report-layers are of the report'],
    [['--kv-heads', '2', '--report', '--shards', '0/2'], 'make parts of a result: expected --out too'],
    [['--kv-heads', '2', '--dry-run', '--finish'], 'make parts of a result: expected --out too'],
    [
      ['--kv-heads', '2', '--report', '--plot', '/dev/null/x.svg'],
      '--plot "/dev/null/x.svg": "/dev/null" is no folder',
    ],
    [
      ['--kv-heads', '2', '--out', '/x', '--shards', '2/2'],
      'expected i/n with i from 0 to n - 1, as 0/8, got "2/2"',
    ],
    [['--kv-heads', '2', '--out', '/x', '--shards', '0/2', '--finish'], 'cannot be used with option'],
    [['--kv-heads', '2', '--dry-run', '--map', 'q=w'], 'expected role=name with one {layer}'],
    [
      ['--kv-heads', '2', '--dry-run', '--map', 'q=a{layer}', '--map', 'q=b{layer}'],
      'expected each role once, got q twice',
    ],
    [
      ['--kv-heads', '2', '--dry-run', '--map', 'q=a{layer}'],
      '--map: expected q, k, v and o, or qkv and o, or grouped and o, got q',
    ],
    [['--kv-heads', '2', '--dry-run', '--rope', 'half:3'], 'expected half, interleaved or none, or half:64'],
    [
      ['--kv-heads', '2', '--dry-run', '--rope', 'half:10'],
      '--rope: expected at most head_dim (8) rotated elements, got 10',
    ],
    [
      ['--kv-heads', '2', '--dry-run', '--method', 'median'],
      'Allowed choices are mean, first, random, aligned, pca.',
    ],
  ])('%j', async (args, message) => {
    const { out: said, err } = await convert(await source(), ...args);
    expect(err).toContain(message);
    expect(said).toBe('');
    expect(await readdir(folder)).toEqual(['source']);
  });

  test('a file is no model folder', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'x');
    expect((await convert(file, '--kv-heads', '2', '--dry-run')).err).toContain(
      `${file}: expected a folder with config.json`,
    );
    expect((await convert(join(folder, 'no'), '--kv-heads', '2', '--dry-run')).err).toContain(
      'cannot be read: ENOENT',
    );
  });
});
