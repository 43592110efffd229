// convertFolder.node.test.ts: a folder converted by a program, as the entry `gqa-webgpu/checkpoint` gives it.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { convertFolder, METHODS, SafetensorsFile, type ConvertOptions } from '../../src/checkpoint.ts';
import { ShapeError } from '../../src/index.ts';
import { CHECKPOINTS, writeCheckpoint } from '../support/checkpoints.ts';
import { convertFolder as converted, readAllBytes } from '../support/convertFolder.ts';

let folder: string;
let model: string;
let out: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-folder-'));
  out = join(folder, 'new', 'out');
  model = await writeCheckpoint(join(folder, 'source'), CHECKPOINTS.llama!, { shards: 2 });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('convertFolder', () => {
  test.each(METHODS)('%s: the tensors are those of the command', async (method) => {
    const result = await convertFolder({ model, out, kvHeads: 2, method });
    const expected = await converted(model, join(folder, 'expected'), { kvHeads: 2, method });
    expect(await readAllBytes(out)).toEqual(await readAllBytes(expected));
    expect(result).toMatchObject({ out, wasThere: false });
    expect(result.notes).toContain('quality is lost until the result is trained further (uptraining)');
    expect(result.rewritten).toContain('model.layers.1.self_attn.k_proj.weight');
    expect(result.rewritten).not.toContain('model.embed_tokens.weight');
  });

  test('says progress to the end, and that a second call found all there', async () => {
    const said: number[] = [];
    await convertFolder({
      model,
      out,
      kvHeads: 2,
      onProgress: ({ done, total }) => void said.push(done / total),
    });
    expect(said.at(-1)).toBe(1);
    expect(await convertFolder({ model, out, kvHeads: 2, seed: 42 })).toMatchObject({ wasThere: true });
    await expect(convertFolder({ model, out, kvHeads: 1 })).rejects.toThrow(
      `${out}: is of another conversion`,
    );
  });

  test('the result says what made it', async () => {
    await convertFolder({ model, out, kvHeads: 2, tool: 'my-tool 1.2' });
    const file = await SafetensorsFile.open(join(out, 'model-00001-of-00002.safetensors'));
    try {
      expect(file.header.metadata['gqa.tool']).toBe('my-tool 1.2');
    } finally {
      await file.close();
    }
  });

  const ROLES = { q: 'q_proj', k: 'k_proj', v: 'v_proj', o: 'o_proj' } as const;
  const map = (Object.keys(ROLES) as (keyof typeof ROLES)[]).map((role) => ({
    role,
    name: `model.layers.{layer}.self_attn.${ROLES[role]}.weight`,
  }));

  test('a map of tensor names takes the place of the names of a family', async () => {
    const unknown = join(folder, 'unknown');
    const config = { ...CHECKPOINTS.llama!.config, model_type: 'of-nobody' };
    await writeCheckpoint(unknown, { ...CHECKPOINTS.llama!, config }, { shards: 2 });
    const positions = { pairing: 'half', rotaryDims: 8 } as const;
    await convertFolder({ model: unknown, out, kvHeads: 2, map, positions });
    const expected = await converted(model, join(folder, 'expected'), { kvHeads: 2 });
    expect(await readAllBytes(out)).toEqual(await readAllBytes(expected));
    const other = map.map(({ role, name }) => ({ role, name: name.replace('self_attn', 'attention') }));
    const call = convertFolder({ model: unknown, out: join(folder, 'other'), kvHeads: 2, map: other });
    await expect(call).rejects.toThrow(
      'no layer has the tensors "model.layers.{layer}.attention.q_proj.weight"',
    );
  });

  test('two workers convert a shard each, and the whole is made of both', async () => {
    const shared = { model, out, kvHeads: 2 };
    for (const index of [1, 0]) {
      expect(await convertFolder({ ...shared, shards: { index, of: 2 } })).toMatchObject({
        wasThere: false,
        isWhole: false,
      });
      expect(existsSync(out)).toBe(false);
    }
    expect(await convertFolder({ ...shared, finish: true })).toMatchObject({
      wasThere: false,
      isWhole: true,
    });
    const expected = await converted(model, join(folder, 'expected'), { kvHeads: 2 });
    expect(await readAllBytes(out)).toEqual(await readAllBytes(expected));
    expect(await convertFolder({ ...shared, shards: { index: 0, of: 2 } })).toMatchObject({
      wasThere: true,
      isWhole: true,
    });
  });

  test('finish wants the shards of all workers', async () => {
    await convertFolder({ model, out, kvHeads: 2, shards: { index: 0, of: 2 } });
    await expect(convertFolder({ model, out, kvHeads: 2, finish: true })).rejects.toThrow(
      'model-00002-of-00002',
    );
    expect(existsSync(out)).toBe(false);
  });

  const good = (): ConvertOptions => ({ model, out, kvHeads: 2 });
  test.each<[string, object, string]>([
    ['another option', { kvheads: 2 }, 'there is no option kvheads; did you mean kvHeads?'],
    [
      'no folder',
      { out: undefined },
      'convertFolder: out: expected a string that is not empty, got undefined',
    ],
    ['half a head', { kvHeads: 1.5 }, 'convertFolder: kvHeads: expected a whole number'],
    ['an unknown method', { method: 'median' }, 'convertFolder: method must be one of mean, first'],
    ['a grouping of another kind', { grouping: null }, 'convertFolder: grouping must be one of neighbours'],
    ['a head map', { headMap: 'other' }, 'convertFolder: headMap must be one of contiguous'],
    ['a text for true', { renorm: 'yes' }, 'convertFolder: renorm: expected true or false'],
    ['a negative seed', { seed: -1 }, 'convertFolder: seed: expected a whole number'],
    ['a listener that is none', { onProgress: 3 }, 'convertFolder: onProgress: expected a function, got 3'],
    [
      'more rotated elements than there are',
      { positions: { pairing: 'half', rotaryDims: 10 } },
      'convertFolder: positions.rotaryDims: expected',
    ],
    [
      'an unknown pairing',
      { positions: { pairing: 'thirds', rotaryDims: 4 } },
      'convertFolder: positions.pairing must be one of',
    ],
    ['no map', { map: [] }, 'convertFolder: map: expected a list of at least one, got an array of 0'],
    ['half a map', { map: map.slice(1) }, 'convertFolder: map: expected q, k, v and o, or qkv and o'],
    ['a role twice', { map: [...map, map[0]] }, 'or grouped and o, got k o q q v'],
    [
      'a name twice',
      { map: map.map((each) => ({ ...each, name: map[0]!.name })) },
      'of its own for each role',
    ],
    [
      'an unknown role',
      { map: [{ role: 'w', name: 'x' }] },
      'convertFolder: map[0]: role must be one of q, k',
    ],
    [
      'a name of one layer',
      { map: [{ role: 'q', name: 'x' }] },
      'map[0]: name: expected one {layer} in it, got "x"',
    ],
    [
      'a worker that is not there',
      { shards: { index: 2, of: 2 } },
      'shards.index: expected a whole number from 0',
    ],
    ['a half of workers', { shards: { index: 0 } }, 'convertFolder: shards.of: expected a whole number'],
    [
      'shards and finish',
      { shards: { index: 0, of: 1 }, finish: true },
      'expected shards or finish, got both',
    ],
    ['a number that does not divide', { kvHeads: 3 }, '3'],
  ])('refuses %s', async (_, wrong, message) => {
    const call = convertFolder({ ...good(), ...wrong });
    await expect(call).rejects.toThrow(ShapeError);
    await expect(call).rejects.toThrow(message);
  });
});
