// functions.test.ts: every function of the main entry, with everything that its arguments and their fields are not.
import { expect, test } from 'vitest';
import * as library from '../../src/index.ts';
import { Tuning } from '../../src/tuning.ts';
import {
  adapter,
  buffer,
  CACHE,
  cache,
  device,
  gpu,
  isOpen,
  layout,
  mergeArgs,
  opensAll,
  rows,
  SHAPE,
  TILES,
} from '../support/exportsDevice.ts';
import { EMPTY, functionsOf, MAP, testCalls, type Calls } from '../support/wrongValues.ts';

const {
  bindMerge,
  cacheLayout,
  checkShape,
  createDecoder,
  createKvCache,
  createStorage,
  encodeRows,
  nothingLost,
} = library;

opensAll();

const YARN = {
  type: 'yarn',
  factor: 4,
  originalContext: 64,
  betaFast: 32,
  betaSlow: 1,
  truncate: false,
  attentionFactor: 1.1,
};

const ROPE_MAY_LACK = (arg: string) => ({
  [`${arg}.rotaryDim`]: [undefined],
  [`${arg}.style`]: [undefined],
  [`${arg}.base`]: [undefined, 1.5],
  [`${arg}.scaling`]: [undefined],
  [`${arg}.scaling.factor`]: [1.5],
  [`${arg}.scaling.originalContext`]: [1.5],
  [`${arg}.scaling.betaFast`]: [undefined, 1.5],
  [`${arg}.scaling.betaSlow`]: [undefined, 1.5],
  [`${arg}.scaling.truncate`]: [undefined, true],
  [`${arg}.scaling.attentionFactor`]: [undefined, 1.5],
});

const FUNCTIONS: Calls = {
  bindMerge: { call: bindMerge, args: () => [device, mergeArgs()] },
  borrowDevice: {
    call: library.borrowDevice,
    args: () => [device.gpu, new Set(['subgroup_id'])],
    also: { 1: [undefined, MAP] },
  },
  cacheLayout: {
    call: cacheLayout,
    args: () => [CACHE, { maxBindingBytes: 2 ** 20, maxBufferBytes: 2 ** 20 }],
    also: { '0.batch': [undefined], '0.layers': [undefined], 1: [undefined] },
  },
  checkShape: {
    call: checkShape,
    args: () => [SHAPE],
    also: { '0.batch': [undefined], '0.qLen': [undefined], '0.causal': [undefined, true] },
  },
  createDecoder: {
    call: createDecoder,
    args: () => [
      device,
      {
        cache,
        numQHeads: 4,
        kernel: 'tiles',
        tuning: Tuning.none,
        tuned: { variant: TILES, slots: 4 },
        variant: TILES,
      },
    ],
    also: {
      '1.kernel': [undefined],
      '1.tuning': [undefined],
      '1.tuning.devices': [EMPTY],
      '1.tuned': [undefined],
      '1.variant': [undefined],
    },
  },
  createKvCache: {
    call: createKvCache,
    args: () => [device, CACHE],
    also: { '1.batch': [undefined], '1.layers': [undefined] },
  },
  createRope: {
    call: library.createRope,
    args: () => [
      device,
      { headDim: 64, rotaryDim: 32, style: 'half', base: 1e4, scaling: YARN, positions: 8 },
    ],
    also: ROPE_MAY_LACK('1'),
  },
  createStorage: { call: createStorage, args: () => [device, 'label', 4], also: { 1: ['x', ''] } },
  decodeRows: { call: library.decodeRows, args: () => [layout.k, new Uint8Array(layout.kBytes)] },
  deviceDescriptor: {
    call: library.deviceDescriptor,
    args: () => [adapter, { ...SHAPE, ...CACHE }],
    also: {
      '1.batch': [undefined],
      '1.qLen': [undefined],
      '1.causal': [undefined, true],
      '1.layers': [undefined],
    },
  },
  encodeRows: {
    call: encodeRows,
    args: () => [layout.k, rows(), nothingLost()],
    also: { 2: [undefined], '2.notFinite': [1.5], '2.saturated': [1.5], '2.vanished': [1.5] },
  },
  isSoftware: { call: library.isSoftware, args: () => [device.gpu.adapterInfo] },
  layoutOfLayer: { call: library.layoutOfLayer, args: () => [layout, 0] },
  kvBytesRead: { call: library.kvBytesRead, args: () => [layout, [1, 2]] },
  nothingLost: { call: nothingLost, args: () => [] },
  openDevice: { call: library.openDevice, args: () => [gpu, {}], also: { 1: [undefined, EMPTY] } },
  readBack: { call: library.readBack, args: () => [device, buffer(4)] },
  ropeFrequencies: {
    call: library.ropeFrequencies,
    args: () => [{ headDim: 64, rotaryDim: 32, style: 'half', base: 1e4, scaling: YARN }],
    also: ROPE_MAY_LACK('0'),
  },
  uploadStorage: {
    call: library.uploadStorage,
    args: () => [device, 'label', new Float32Array(1)],
    also: { 1: ['x', ''] },
  },
};

testCalls(FUNCTIONS, isOpen);

test('all that is exported is here', () => {
  expect(functionsOf(library)).toEqual(Object.keys(FUNCTIONS).toSorted());
});
