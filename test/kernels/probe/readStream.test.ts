// readStream.test.ts: read_stream against its twin: every word is read exactly once.
import { describe, expect, test } from 'vitest';
import { uniform } from '../../../src/numbers/random.ts';
import { readStream as readStreamKernel } from '../../../src/kernels/probe/readStream.ts';
import { readStream } from '../../reference/readStream.ts';
import { testDevice } from '../../support/device.ts';
import { runKernel } from '../../support/runKernel.ts';

const device = await testDevice();

/** Words of all sizes: their sums run over 2^32. */
function randomWords(vectors: number): Uint32Array<ArrayBuffer> {
  const next = uniform(vectors);
  return Uint32Array.from({ length: vectors * 4 }, () => next() * 2 ** 32);
}

async function check(vectors: number, groups: number, wgSize: number): Promise<void> {
  const source = randomWords(vectors);
  const { sums } = await runKernel(device, {
    kernel: readStreamKernel(vectors * 16, wgSize),
    grid: [groups, 1, 1],
    inputs: { source },
    outputs: { sums: new Uint32Array(groups * wgSize).fill(0xabcdef) },
  });
  expect(sums).toEqual(readStream(source, groups, wgSize));
  const total = (words: Iterable<number>) => [...words].reduce((sum, word) => (sum + word) >>> 0, 0);
  expect(total(sums!)).toBe(total(source));
}

describe('read_stream', () => {
  test.each([1, 2, 7, 999, 1000, 1001, 1500])('1000 vectors in %i workgroups', (groups) =>
    check(1000, groups, 64),
  );
  test('one vector', () => check(1, 3, 64));
  test('a multiple of everything', () => check(4096, 16, 256));
});
