// torchDecode.node.test.ts: the PyTorch script, which runs on other machines than these tests, writes the same schema.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { PeerRow } from '../../../bench/schema/peerSchema.ts';
import { PEER_SCHEMA, SUITE } from '../../../bench/schema/version.ts';

const script = readFileSync(new URL('../../../bench/peers/torch_decode.py', import.meta.url), 'utf8');

test('schema and suite', () => {
  expect(script).toContain(`{"schema": "${PEER_SCHEMA}", "suite": "${SUITE}", `);
});

test('every field of a row’s time', () => {
  const time: Record<keyof NonNullable<PeerRow['time']>, true> = {
    stepsPerSample: true,
    samplesNs: true,
    wallNs: true,
    firstNs: true,
    median: true,
    ci95: true,
    min: true,
    stop: true,
  };
  const written = /self\.row\["time"\] = \{(.*?)\n {8}\}/s.exec(script)![1]!;
  expect([...written.matchAll(/"(\w+)":/g)].map((match) => match[1])).toEqual(Object.keys(time));
});
