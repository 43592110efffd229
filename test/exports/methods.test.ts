// methods.test.ts: every method of the main entry's classes, with everything that its arguments and their fields are not.
import { beforeAll, expect, test } from 'vitest';
import * as library from '../../src/index.ts';
import type { CacheSnapshot } from '../../src/index.ts';
import {
  append,
  buffer,
  cache,
  callers,
  decoder,
  device,
  isOpen,
  merge,
  opensAll,
  row,
  rows,
  step,
  turnedRow,
} from '../support/exportsDevice.ts';
import { EMPTY, methodsOf, testCalls, type Calls } from '../support/wrongValues.ts';

opensAll();

let snapshotOfOne: CacheSnapshot;
beforeAll(async () => {
  snapshotOfOne = await cache.snapshot({ sequence: 0 });
});

const encoder = () => device.gpu.createCommandEncoder();

const METHODS: Calls = {
  'KvCache.append': {
    call: (args, options) => cache.append(args, options),
    args: () => [{ layer: 1, numTokens: 1, ...row() }, { numTokens: [1, 0] }],
    also: {
      '0.layer': [undefined],
      '0.numTokens': [undefined],
      1: [undefined, EMPTY],
      '1.numTokens': [undefined],
    },
  },
  'KvCache.bindAppend': {
    call: (args) => cache.bindAppend(args),
    args: () => [{ layer: 1, numTokens: 1, ...turnedRow() }],
    also: {
      '0.layer': [undefined],
      '0.numTokens': [undefined],
      '0.rope': [undefined],
      '0.qkNorm': [undefined],
      '0.qkNorm.eps': [undefined],
    },
  },
  'KvCache.bindAppends': {
    call: (layers) => cache.bindAppends(layers),
    args: () => [[{ numTokens: 1, ...row() }, row()]],
    also: { '0.0.numTokens': [undefined] },
  },
  'KvCache.kvLens': { call: (layer) => cache.kvLens(layer), args: () => [1], also: { 0: [undefined] } },
  'KvCache.load': {
    call: (args) => cache.load(args),
    args: () => [{ layer: 1, k: rows(), v: rows(), kvLens: [1, 2] }],
    also: { '0.layer': [undefined] },
  },
  'KvCache.truncate': {
    call: (lens, options) => cache.truncate(lens, options),
    args: () => [0, { sequence: 1 }],
    also: { 1: [undefined, EMPTY], '1.sequence': [undefined] },
  },
  'KvCache.reset': { call: (sequence) => cache.reset(sequence), args: () => [1] },
  'KvCache.fork': { call: (from, to) => cache.fork(from, to), args: () => [0, 1] },
  'KvCache.setPages': {
    call: (table, options) => callers.setPages(table, options),
    args: () => [{ indptr: [0, 1, 1], indices: [1], lastPageLen: [5, 0] }, { newTokens: [2, 0] }],
    also: { 1: [undefined, EMPTY], '1.newTokens': [undefined] },
  },
  'KvCache.snapshot': {
    call: (options) => cache.snapshot(options),
    args: () => [{ sequence: 1 }],
    also: { 0: [undefined, EMPTY], '0.sequence': [undefined] },
  },
  'KvCache.restore': {
    call: (snapshot, options) => cache.restore(snapshot, options),
    args: () => [snapshotOfOne, { sequence: 1 }],
    also: { 1: [undefined, EMPTY], '1.sequence': [undefined] },
  },
  'KvCache.recordFork': {
    call: (target, from, to) => cache.recordFork(target, from, to),
    args: () => [encoder(), 0, 1],
  },
  'BoundAppend.record': {
    call: (target, options) => append.record(target, options),
    args: () => [encoder(), { numTokens: [1, 0] }],
    also: { 1: [undefined, EMPTY], '1.numTokens': [undefined] },
  },
  'Decoder.plan': {
    call: (options) => decoder.plan(options),
    args: () => [{ kvLens: [0, 0], smScale: 1, numSplits: 1 }],
    also: { '0.smScale': [undefined, -1, 1.5], '0.numSplits': [undefined] },
  },
  'Decoder.bind': {
    call: (args) => decoder.bind(args),
    args: () => [{ layer: 1, q: buffer(2048), o: buffer(2048), lse: buffer(32) }],
    also: { '0.layer': [undefined], '0.lse': [undefined] },
  },
  'Decoder.bindLayers': {
    call: (layers) => decoder.bindLayers(layers),
    args: () => [[{ q: buffer(2048), o: buffer(2048), lse: buffer(32) }]],
    also: { '0.0.lse': [undefined] },
  },
  'DecodeStep.record': {
    call: (target, plan) => step.record(target, plan),
    args: () => [encoder(), decoder.plan({ kvLens: [0, 0] })],
  },
  'DecodeStep.run': { call: (plan) => step.run(plan), args: () => [decoder.plan({ kvLens: [0, 0] })] },
  'BoundMerge.record': { call: (target) => merge.record(target), args: () => [encoder()] },
};

/** Methods without arguments. */
const BARE = /^(GqaDevice|KvCache|Decoder|Rope)\.(destroy|assertUsable|assertAlive|idle|report|lostSoon)$/;

/** Methods that are not in the declarations. */
const INTERNAL = ['GqaDevice.onIdle', 'GqaDevice.onNextIdle', 'GqaDevice.advise'].concat([
  'KvCache.recordAppend',
  'KvCache.leaveValues',
  'KvCache.noteRead',
  'KvCache.recordCopies',
  'Rope.range',
]);

/** Getters. */
const FIELDS = ['KvCache.freePages', 'KvCache.lengths', 'KvCache.pageTables'];

testCalls(METHODS, isOpen);

test('all methods of exported classes are here', () => {
  const open = methodsOf(library).filter((name) => !BARE.test(name));
  expect(open).toEqual([...Object.keys(METHODS), ...INTERNAL, ...FIELDS].toSorted());
});
