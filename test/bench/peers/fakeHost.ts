// fakeHost.ts: a host of invented engines that answer with the float64 reference, right or spoilt.
import type { AttentionHost } from '../../../bench/peers/host.ts';
import { expectPeers } from '../../../bench/peers/expected.ts';
import type { PeerTarget } from '../../../bench/peers/peerTarget.ts';
import type { PeerPlace } from '../../../bench/schema/peerSchema.ts';

/** What an invented engine does, and what was done with it. */
export interface Fake {
  /** The adapter's description; default `one`. */
  readonly adapter?: string;
  /** Nanoseconds of a step. */
  readonly stepNs?: number;
  /** Called with the number of samples taken so far; an error ends the engine there. */
  readonly onSample?: (samples: number) => void;
  /** Whether the output is right after so many samples. */
  readonly right?: (samples: number) => boolean;
  readonly failsToOpen?: boolean;
  log?: string[];
}

export function onAdapter(description: string): Pick<PeerPlace, 'adapter' | 'features'> {
  const names = { vendor: 'acme', architecture: '', device: '', description };
  return {
    adapter: { ...names, software: false, subgroupMinSize: 4, subgroupMaxSize: 4 },
    features: ['subgroups'],
  };
}

/** A host whose engines are the given ones, by name. */
export function fakeHost(fakes: Readonly<Record<string, Fake>>): AttentionHost {
  return {
    place: 'node',
    runtime: { kind: 'test', version: '0' },
    async open(engine) {
      const fake = fakes[engine]!;
      if (fake.failsToOpen) throw new Error('no such engine\n    at its stack');
      return fake.adapter === 'cpu' ? null : onAdapter(fake.adapter ?? 'one');
    },
    async bind(engine, inputs) {
      return fakeTarget(fakes[engine]!, Float32Array.from(expectPeers(inputs).truth));
    },
    close: async () => {},
  };
}

function fakeTarget(fake: Fake, truth: Float32Array): PeerTarget {
  let samples = -2; // the cold run and the warm-up
  const log = (fake.log ??= []);
  log.push('bound');
  return {
    step: 'a step',
    async time(steps) {
      if (samples++ >= 0) fake.onSample?.(samples);
      return steps * (fake.stepNs ?? 1e9);
    },
    output: async () => (fake.right?.(samples) === false ? truth.map((x) => x + 1) : truth),
    release: async () => void log.push('released'),
  };
}
