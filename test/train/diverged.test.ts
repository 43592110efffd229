// diverged.test.ts: a training that diverged says so itself, and leaves nothing for the device to report to others.
import { expect, test } from 'vitest';
import { Trainer } from '../../src/train/trainer.ts';
import { layOut } from '../../src/train/parameters.ts';
import { testDevice } from '../support/device.ts';
import { TINY_OPTIONS, tinyTraining } from './tinyTraining.ts';

test('idle has nothing to say, while it is there and when it is gone', async () => {
  const device = await testDevice();
  const args = tinyTraining();
  const parameters = args.parameters.slice();
  parameters[layOut(args.spec).layers[0]!.kv.weights.offset] = NaN;
  const trainer = await Trainer.create(device, { ...args, parameters }, TINY_OPTIONS);
  await expect(trainer.advance(2)).rejects.toMatchObject({ code: 'diverged' });
  await device.idle();
  await expect(trainer.evaluate()).rejects.toMatchObject({ code: 'diverged' });
  trainer.destroy();
  await device.idle();
});
