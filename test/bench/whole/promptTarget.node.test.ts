// promptTarget.node.test.ts: what is timed as a prompt does what feeding it does.
import { expect, test } from 'vitest';
import { promptTokens } from '../../../bench/whole/promptTarget.ts';
import { randomModel } from '../../../bench/whole/randomModel.ts';
import { GREEDY, openCore } from '../../../bench/whole/wholeTarget.ts';
import { submitted } from '../../../src/device/scopes.ts';
import { cutIntoPasses } from '../../../src/models/decoder/chunks.ts';
import { loadModel } from '../../../src/models/decoder/model.ts';
import { testDevice } from '../../support/device.ts';

const CONFIG = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 96,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_hidden_layers: 2,
  vocab_size: 128,
};

test('prompts recorded for one submit come to the tokens that feeding them comes to', async () => {
  const device = await testDevice();
  const source = randomModel(CONFIG, 2, 'tiny', 1);
  const model = await loadModel(device, source);
  const sizes = { batch: 3, capacity: 74, kType: 'f16', vType: 'f16' } as const;
  const [recorded, fed] = [await openCore(model, sizes), await openCore(model, sizes)];
  try {
    const tokens = promptTokens(recorded, 70, 7);
    expect(new Set(tokens.map((list) => list.slice(0, 20).join())).size).toBe(3);
    const passes = [...cutIntoPasses(tokens, recorded.lengths, recorded.passRows)];
    expect(passes.map(({ rows }) => rows)).toEqual([128, 82]);
    await submitted(device, 'prompt', (encoder) => {
      const pass = encoder.beginComputePass();
      recorded.recordPrompt(pass, passes, GREEDY);
      pass.end();
    });
    await fed.feed(tokens);
    await fed.chooseAfterFeed(GREEDY);
    // The tokens chosen behind the prompt stay on the device: those behind them tell.
    expect(await recorded.chooseNext(4, GREEDY)).toEqual(await fed.chooseNext(4, GREEDY));
    expect(recorded.lengths).toEqual([74, 74, 74]);
  } finally {
    recorded.destroy();
    fed.destroy();
    model.destroy();
  }
});
