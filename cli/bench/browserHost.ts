// browserHost.ts: `gqa bench --runtime chrome`: what cannot hold in a browser, and what a browser is as a host of a run.
import type { Command } from 'commander';
import type { Ready } from '../../bench/chrome/protocol.ts';
import { GqaError, NoAdapterError } from '../../src/device/errors.ts';
import { softwareNote } from '../../src/node/adapters.ts';
import { toolContext } from '../../src/node/runtimeContext.ts';
import type { BenchFlags } from './benchFlags.ts';
import type { BenchHost } from './benchOptions.ts';

const REFUSED = {
  adapter: 'a browser takes its adapter itself',
  whole: 'whole models are timed in Node alone',
};

/** Throws where an option is given that means nothing in a browser. */
export function refuseInBrowser(command: Command): void {
  for (const [name, why] of Object.entries(REFUSED)) {
    if (command.getOptionValueSource(name) === 'cli')
      throw new GqaError('usage', `--${name}: expected --runtime node with it: ${why}`);
  }
}

/** Says what a person should know of the adapter. Throws NoAdapterError where the flags want another. */
export function browserHost(ready: Ready, flags: BenchFlags, say: (line: string) => void): BenchHost {
  const { adapterName, software, runtime, crossOriginIsolated } = ready;
  if (software && flags.requireGpu)
    throw new NoAdapterError(
      `--require-gpu: expected a GPU, but "${adapterName}" of the browser is a software adapter.`,
      {
        hint: 'open chrome://gpu in this browser, which says why; or leave --require-gpu out',
      },
    );
  if (software) say(`warning  ${softwareNote(adapterName)}`);
  if (process.env['GQA_ADAPTER']) say(`note     GQA_ADAPTER is not heeded: ${REFUSED.adapter}`);
  return { software, context: { ...toolContext(), runtime, crossOriginIsolated } };
}
