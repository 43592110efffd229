// pastTraining.test.ts: a text longer than any that a model was trained on is said to be.
import { expect, test } from 'vitest';
import { pastTraining } from '../../../bench/model/variants.ts';
import type { ModelSpec } from '../../../src/models/decoder/spec.ts';

const specWith = (trainedPositions?: number) =>
  (trainedPositions === undefined ? {} : { trainedPositions }) as ModelSpec;

test('only where the config names fewer positions than the text has tokens', () => {
  expect(pastTraining(specWith(2048), 2048)).toBeUndefined();
  expect(pastTraining(specWith(), 1e6)).toBeUndefined();
  expect(pastTraining(specWith(2048), 2049)).toBe(
    'the model was trained for 2,048 positions (config.json); of 2,049 tokens those past them may make no sense',
  );
});
