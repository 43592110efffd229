// adapterFacts.ts: what the page says of the adapter that a job runs on.
import type { GqaDevice } from '../../src/index.ts';

export interface AdapterFacts {
  readonly name: string;
  readonly software: boolean;
  /** Most bytes of one buffer that a kernel reads. */
  readonly maxBindingBytes: number;
}

/** Those of a device. */
export function adapterFacts({ gpu: { adapterInfo: info }, facts }: GqaDevice): AdapterFacts {
  const names = [info.vendor, info.architecture, info.device, info.description];
  return {
    name: names.filter((name) => name !== '').join(' ') || 'unnamed by the browser',
    software: facts.software,
    maxBindingBytes: Math.min(facts.maxBindingBytes, facts.maxBufferBytes),
  };
}

/** An adapter's name, and that it is none. */
export function adapterText({ name, software }: Pick<AdapterFacts, 'name' | 'software'>): string {
  return software ? `${name} (software: a CPU)` : name;
}
