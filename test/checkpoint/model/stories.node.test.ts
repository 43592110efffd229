// stories.node.test.ts: the checkpoint that comes with the project: small, multi-head, and as good at its stories as it says.
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { withVariant } from '../../../bench/model/variants.ts';
import { openModelFolder } from '../../../src/checkpoint/convert/disk/modelFolder.ts';
import { openModel } from '../../../src/checkpoint/model/disk/openModel.ts';
import { openDevice } from '../../../src/device/gqaDevice.ts';
import { nodeGpu } from '../../../src/node/nodeGpu.ts';
import { charVocabulary } from '../../../src/train/text/characters.ts';
import { generatedText, STORIES } from '../../../src/train/text/generatedText.ts';

const FOLDER = fileURLToPath(new URL('../../../models/stories', import.meta.url));

const { gpu } = await nodeGpu({ adapter: 'swiftshader' });
const device = await openDevice(gpu);
afterAll(() => device.destroy());

/** Stories of the seed that it was trained on, from the part that no step saw. */
const TEXT = generatedText(STORIES.seed, STORIES.characters);
const TOKENS = Array.from(charVocabulary(TEXT).encode(TEXT).subarray(-2049));

async function lossWith(kvHeads?: number): Promise<number> {
  const variant = kvHeads === undefined ? { kvHeads: 8 } : { kvHeads, method: 'pca' as const };
  return withVariant(device, (heads) => openModel(FOLDER, heads), variant, {
    options: { batch: 4, capacity: 128, chunk: 128 },
    onProgress: () => undefined,
    use: async ({ context }) => (await context.perplexity(TOKENS, { window: 128 })).nll,
  });
}

test('it is small, multi-head, and says which command made it', async () => {
  const { size } = await stat(`${FOLDER}/model.safetensors`);
  expect(size).toBeLessThan(1.5e6);
  const { shards, tensors, config } = await openModelFolder(FOLDER);
  expect(config).toMatchObject({ num_attention_heads: 8, num_key_value_heads: 8 });
  expect(new Set([...tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(['F16']));
  expect(shards[0]!.header.metadata['gqa.command']).toMatch(
    /^gqa train --layers 2 --dim 64 --heads 8 .*--seed 1 --save-type f16$/,
  );
});

test('it tells held-out stories at half a nat a character, and fewer KV heads cost more', async () => {
  const whole = await lossWith();
  const four = await lossWith(4);
  const one = await lossWith(1);
  expect(whole).toBeGreaterThan(0.4);
  expect(whole).toBeLessThan(0.6);
  expect(four).toBeGreaterThan(whole);
  expect(one).toBeGreaterThan(four);
}, 120_000);
