// promptTarget.node.test.ts: what is timed as a prompt does what feeding it does.
import { expect, test, vi } from 'vitest';
import { timeSteps } from '../../../bench/run/sampling.ts';
import { PassTimer } from '../../../bench/run/timer.ts';
import { PromptTarget, promptTokens } from '../../../bench/whole/promptTarget.ts';
import { randomModel } from '../../../bench/whole/randomModel.ts';
import { GREEDY, openCore } from '../../../bench/whole/wholeTarget.ts';
import { cutIntoPasses } from '../../../src/models/decoder/chunks.ts';
import { loadModel } from '../../../src/models/decoder/model.ts';
import { testDevice } from '../../support/device.ts';

const CONFIG = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 96,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  num_hidden_layers: 2,
  vocab_size: 128,
};

test('prompts recorded before the first pass is submitted come to the tokens that feeding them comes to', async () => {
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
    const commands = passes.map((rows, i) => {
      const encoder = device.gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      recorded.recordPrompt(pass, rows, i === 1 ? GREEDY : undefined);
      pass.end();
      return encoder.finish();
    });
    for (const each of commands) device.gpu.queue.submit([each]);
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

test('a prompt is timed with a submission for each pass, as feeding it has', async () => {
  const device = await testDevice();
  const model = await loadModel(device, randomModel(CONFIG, 2, 'tiny', 1));
  const target = await PromptTarget.create(model, { batch: 1, kType: 'f16', vType: 'f16' }, 300, 7);
  const timer = new PassTimer(device);
  const submit = vi.spyOn(device.gpu.queue, 'submit');
  const submissions = async (act: () => Promise<unknown>) => {
    submit.mockClear();
    await act();
    return submit.mock.calls.filter(([commands]) => [...commands].some(({ label }) => label === 'timed'))
      .length;
  };
  try {
    const sample = await timeSteps(timer, target.whole, 2);
    expect(sample.ns).toBeGreaterThan(0);
    expect(await submissions(() => timeSteps(timer, target.whole, 2))).toBe(2 * 3);
    expect(await submissions(() => timer.time((pass) => target.whole.record(pass)))).toBe(1);
    expect(target.core.lengths).toEqual([0]);
  } finally {
    submit.mockRestore();
    timer.destroy();
    target.destroy();
    model.destroy();
  }
});
