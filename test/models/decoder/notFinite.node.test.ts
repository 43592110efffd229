// notFinite.node.test.ts: narrow weights that are not finite, by what they give, on the adapter that compiles fastest.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NotFiniteError, openDevice, type GqaDevice } from '../../../src/index.ts';
import { loadModel, openModelFiles } from '../../../src/models.ts';
import { nodeGpu } from '../../../src/node.ts';
import { tinyModel } from '../../support/tinyModel.ts';

let device: GqaDevice;

beforeAll(async () => {
  device = await openDevice((await nodeGpu({ adapter: 'swiftshader' })).gpu);
});

afterAll(() => device.destroy());

// bf16 is read as f16 is; f32: context.test.ts.
test.each(['f16', 'int8', 'int4'] as const)('weights of %s', async (weightType) => {
  const files = tinyModel({}, (name, values) => {
    if (name.endsWith('down_proj.weight')) values[5] = NaN;
  });
  const broken = await loadModel(device, await openModelFiles(files), { weightType });
  const texts = await broken.createContext({ capacity: 8, chunk: 8 });
  const generated = async () => {
    for await (const _ of texts.generate([[1, 2]], { maxTokens: 1 })) continue;
  };
  try {
    await expect(generated()).rejects.toThrow(NotFiniteError);
    await expect(texts.losses([[1, 2]])).rejects.toThrow(NotFiniteError);
  } finally {
    texts.destroy();
    broken.destroy();
  }
});
