// context.test.ts: the warnings that a run's context gives.
import { expect, test } from 'vitest';
import { subgroupWarnings } from '../../../bench/run/context.ts';

test('subgroups that a probe refused are one warning, those it accepted none', () => {
  const full = { wgSize: 128, lanes: 16, subgroupSize: 32 };
  expect(subgroupWarnings([])).toEqual([]);
  expect(subgroupWarnings([full])).toEqual([]);
  const [first, second] = ['team 2 is not there', 'team 9 is not there'];
  expect(subgroupWarnings([full, { ...full, fault: first }, { ...full, fault: second }])).toEqual([
    { code: 'subgroups', text: `auto takes a slower kernel without subgroups: ${first}` },
  ]);
});
