// requests.test.ts: batches of unequal requests, as people type them.
import { describe, expect, test } from 'vitest';
import { kvLensOf, parseRequests } from '../../../bench/run/requests.ts';
import { ShapeError } from '../../../src/index.ts';

describe('parseRequests', () => {
  test('groups of requests, k for 1024', () => {
    expect(parseRequests('3q1s100')).toEqual([100, 100, 100]);
    expect(parseRequests('1q1s4k_2q1s7')).toEqual([4096, 7, 7]);
    expect(parseRequests('1q1s0')).toEqual([0]);
  });

  test.each([
    ['8q4k', 'requests: expected groups such as 8q1s4k, joined by _, got "8q4k"'],
    ['', 'requests: expected groups such as 8q1s4k, joined by _, got ""'],
    ['1q1s4k_', 'requests: expected groups such as 8q1s4k, joined by _, got ""'],
    ['2q8s1k', undefined],
    ['0q1s1k', undefined],
    ['5000q1s1', 'requests: expected 1 to 4096 requests, got 5000 in "5000q1s1"'],
    ['3000q1s1_3000q1s1', 'requests: expected at most 4096 in all, got 6000'],
  ])('refuses "%s"', (text, message) => {
    expect(() => parseRequests(text)).toThrow(ShapeError);
    if (message) expect(() => parseRequests(text)).toThrow(message);
  });
});

test('kvLensOf: the requests, or the depth for all', () => {
  expect(kvLensOf({ batch: 2, depth: 9 })).toEqual([9, 9]);
  expect(kvLensOf({ batch: 2, depth: 9, requests: '1q1s9_1q1s3' })).toEqual([9, 3]);
});
