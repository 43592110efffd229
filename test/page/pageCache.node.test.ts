// pageCache.node.test.ts: the page's KV cache calculator without a page: what is asked, what is answered, and the command for it.
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { kvReport, type KvReport } from '../../bench/kv/kvReport.ts';
import { presetShape } from '../../bench/kv/presetShape.ts';
import { registerKv } from '../../cli/kv/kv.ts';
import { answerText, commandLine, limitText, variantTable } from '../../page/cache/answer.ts';
import { kvChart } from '../../page/cache/kvChart.ts';
import {
  checkKvParam,
  KV_STANDARD,
  readKvTexts,
  readQuestion,
  withKvTexts,
  type KvTexts,
} from '../../page/cache/settings.ts';
import { shapeOfFiles } from '../../page/cache/shapeFile.ts';
import { ggufBytes, SMALL_LLAMA } from '../support/gguf.ts';

const GIB = 2 ** 30;

function reportOf(more: Partial<KvTexts> = {}): KvReport {
  const texts = { ...KV_STANDARD, ...more };
  const question = readQuestion(texts);
  if (!('request' in question)) throw new Error(JSON.stringify(question));
  return kvReport(presetShape(texts.model), question.request);
}

/** What `gqa kv` prints for a command line, as JSON. */
async function printed(line: string): Promise<unknown> {
  let out = '';
  const program = new Command('gqa')
    .exitOverride()
    .configureOutput({ writeOut: (text) => void (out += text) });
  registerKv(program);
  await program.parseAsync([...line.split(' ').slice(1), '-o', 'json'], { from: 'user' });
  return JSON.parse(out);
}

describe('the answer', () => {
  it.each([
    ['llama-3.1-8b', {}],
    ['gemma-3-4b', { depth: '128k', batch: '4', typeK: 'int8', memory: '.5' }],
    ['gpt-oss-120b', { typeV: 'int4', gbps: '380' }],
    ['t5-v1.1-large', { depth: '512' }],
    ['falcon-7b', { typeK: 'f32', typeV: 'bf16', memory: '80' }],
  ])('for %s is that of the command it shows', async (model, more) => {
    const texts = { ...KV_STANDARD, ...more, model };
    expect(JSON.parse(JSON.stringify(reportOf(texts)))).toEqual(await printed(commandLine(texts)));
  });

  it('is a sentence for each thing asked', () => {
    expect(answerText(reportOf({ gbps: '380' }))).toBe(
      'llama-3.1-8b keeps 128 KiB of K and V per token. One sequence of 8,192 tokens takes 1 GiB; ' +
        '16 such sequences fit in 16 GiB. To read it takes at least 2.83 ms per decode step at 380 GB/s.',
    );
    expect(answerText(reportOf({ batch: '3', memory: '0.5' }))).toContain(
      '3 sequences of 8,192 tokens take 3 GiB; not even one fits in 0.5 GiB.',
    );
  });

  it('has the model beside itself with all and with one KV head', () => {
    expect(variantTable(reportOf()).rows).toEqual([
      { cells: ['MHA', '32', '512 KiB', '4 GiB', '4'], isOwn: false },
      { cells: ['GQA, as it is', '8', '128 KiB', '1 GiB', '16'], isOwn: true },
      { cells: ['MQA', '1', '16 KiB', '128 MiB', '128'], isOwn: false },
    ]);
  });

  it('shows what a model with windows would keep without them', () => {
    // 4 KiB for each token of a layer: 5 layers keep 8,192 of them, 29 keep 1,024.
    const { heads, rows } = variantTable(reportOf({ model: 'gemma-3-4b' }));
    expect(heads[4]).toMatch(/^full/);
    expect(rows[1]!.cells.slice(2, 5)).toEqual(['136 KiB', '276 MiB', '1.063 GiB']);
  });

  it('says in tokens what one buffer of the adapter holds', () => {
    const limits = { maxBufferSize: 2 * GIB, maxStorageBufferBindingSize: GIB };
    // K of one head: 128 elements * 2 bytes for each token.
    expect(limitText(reportOf(), limits)).toContain('fits up to 4,194,304 tokens,');
    expect(limitText(reportOf({ batch: '4', typeV: 'f32' }), limits)).toContain(
      'fits up to 2,097,152 tokens,',
    );
    expect(limitText(reportOf(), undefined)).toContain('no GPU adapter');
  });
});

describe('the chart', () => {
  it('has this model first, no other twice, and both limits', () => {
    const limits = { maxBufferSize: 4 * GIB, maxStorageBufferBindingSize: 2 * GIB };
    const { series } = kvChart(reportOf(), limits);
    const names = series.map(({ name }) => name);
    expect(names[0]).toBe('llama-3.1-8b');
    expect(new Set(names).size).toBe(names.length);
    expect(series[0]!.points.map(({ x }) => x)).toEqual([10, 11, 12, 13, 14, 15, 16, 17].map((n) => 2 ** n));
    expect(series[0]!.points[3]).toEqual({ x: 8192, y: GIB });
    expect(series.filter(({ kind }) => kind === 'limit').map(({ points }) => points[0]!.y)).toEqual([
      16 * GIB,
      2 * GIB,
    ]);
  });

  it('reaches the context that is asked about', () => {
    expect(kvChart(reportOf({ depth: '1M' }), undefined).series[0]!.points.at(-1)!.x).toBe(2 ** 20);
  });
});

describe('the fields', () => {
  it.each([
    ['depth', 'abc', 'must be a number of tokens, as 8192 or 8k, got "abc"'],
    ['depth', '0', 'must be a number of tokens, as 8192 or 8k, got "0"'],
    ['batch', '1.5', 'must be a whole number of at least 1, got "1.5"'],
    ['typeK', 'f8', 'must be one of f32, f16, bf16, int8, int4, got "f8"'],
    ['memory', '-1', 'must be a number above 0, got "-1"'],
    ['gbps', '1e3', 'must be a number above 0, got "1e3"'],
  ] as const)('%s refuses %s', (field, text, fault) => {
    expect(readQuestion({ ...KV_STANDARD, [field]: text })).toEqual({ faults: { [field]: fault } });
  });

  it('are told all at once what is wrong', () => {
    const question = readQuestion({ ...KV_STANDARD, depth: '', memory: '' });
    expect('faults' in question && Object.keys(question.faults)).toEqual(['depth', 'memory']);
  });

  it('stand in the address under the names of the flags, what is standard left out', () => {
    const texts = { ...KV_STANDARD, model: 'qwen3-4b', depth: '32k', typeV: 'int8', gbps: '900' };
    const query = withKvTexts('?run&depth=512', texts);
    expect(query).toBe('?run&depth=512&kv-model=qwen3-4b&kv-depth=32k&kv-cache-type-v=int8&kv-gbps=900');
    expect(readKvTexts(query)).toEqual(texts);
    expect(withKvTexts(query, KV_STANDARD)).toBe('?run&depth=512');
    for (const [name, value] of new URLSearchParams(query)) {
      if (name.startsWith('kv-')) expect(() => checkKvParam(name, value)).not.toThrow();
    }
    expect(() => checkKvParam('kv-model', 'qwen3-5b')).toThrow(/nearest: qwen3-4b/);
  });
});

describe('files', () => {
  const placed = (name: string, ...parts: BlobPart[]) => ({ path: name, file: new File(parts, name) });
  const config = JSON.stringify({
    hidden_size: 2560,
    num_attention_heads: 32,
    num_hidden_layers: 36,
    num_key_value_heads: 8,
    head_dim: 128,
  });

  it('are a config.json, whatever lies beside it, or a GGUF file, of several its first', async () => {
    const files = [placed('tokenizer.json', '{}'), placed('config.json', config), placed('a.txt', '')];
    expect(await shapeOfFiles(files)).toMatchObject({ name: 'config.json', layers: 36, headDim: 128 });
    const parts = [
      placed('m-00001-of-00002.gguf', ggufBytes(SMALL_LLAMA)),
      placed('m-00002-of-00002.gguf', 'x'),
    ];
    expect(await shapeOfFiles(parts)).toMatchObject({ layers: 30, numKvHeads: 3 });
  });

  it.each([
    ['none', [], 'expected one config.json or one GGUF file, got none'],
    ['two', [placed('a.gguf', ''), placed('b.gguf', '')], 'got a.gguf, b.gguf'],
    ['another kind', [placed('weights.safetensors', '')], 'got weights.safetensors'],
    ['a config that is none', [placed('config.json', '{"a":')], 'got text that is not JSON'],
    ['a config without heads', [placed('other.json', '{"hidden_size": 8}')], 'other.json: expected a field'],
    ['a GGUF file that is none', [placed('a.gguf', 'PK')], 'does not begin with "GGUF"'],
  ])('are refused in words: %s', async (_, files, message) => {
    await expect(shapeOfFiles(files)).rejects.toThrow(message);
  });
});

it('takes a file whose name a shell would split', () => {
  expect(commandLine({ ...KV_STANDARD, batch: '2' }, "it's mine.gguf")).toBe(
    String.raw`gqa kv 'it'\''s mine.gguf' -d 8192 -b 2`,
  );
});
