// tuning.test.ts: all of the entry `gqa-webgpu/tuning`, with everything that its arguments and their fields are not.
import { expect, test } from 'vitest';
import { Tuning } from '../../src/tuning.ts';
import { device, isOpen, layout, opensAll, shape, TILES } from '../support/exportsDevice.ts';
import { EMPTY, testCalls, type Calls } from '../support/wrongValues.ts';

opensAll();

const TUNING: Calls = {
  'Tuning.faults': {
    call: Tuning.faults,
    args: () => [Tuning.none, device],
    also: { '0.devices': [EMPTY] },
  },
  'Tuning.for': {
    call: Tuning.for,
    args: () => [Tuning.none, device, shape, layout],
    also: { '0.devices': [EMPTY] },
  },
  'Tuning.parse': {
    call: Tuning.parse,
    args: () => [JSON.stringify(Tuning.none), 'a file'],
    also: { 1: ['x'] },
  },
  'Tuning.with': {
    call: Tuning.with,
    args: () => [Tuning.none, device, shape, layout, { variant: TILES, slots: 3 }],
    also: { '0.devices': [EMPTY] },
  },
};

testCalls(TUNING, isOpen);

test('all that is done with a tuning is here', () => {
  const functions = Object.entries(Tuning).filter(([, value]) => typeof value === 'function');
  expect(functions.map(([name]) => `Tuning.${name}`).toSorted()).toEqual(Object.keys(TUNING).toSorted());
  expect(Object.isFrozen(Tuning)).toBe(true);
});
