// comparison.ts: what contestants can be compared by: attention alone, whole models, or training.
import type { NodeGpu } from '../../src/node/adapters.ts';
import type { BenchContext } from '../schema/schema.ts';
import { attends, generates, trains, type Contestant } from './contestants.ts';
import type { AttentionHost, Host } from './host.ts';
import { openNodeHost } from './nodeHost.ts';
import { shapesOf, type PeerFlags } from './options.ts';
import { attentionLoad, type PeerLoad, type Rotation } from './peerWorkload.ts';
import { openTrainNodeHost } from './train/nodeHost.ts';
import type { TrainHost } from './train/trainEngine.ts';
import { trainLoad } from './train/trainLoad.ts';
import { llamaSizes } from './whole/llama.ts';
import type { WholeHost } from './whole/wholeHost.ts';
import { wholeLoad } from './whole/wholeLoad.ts';
import { openWholeNodeHost } from './wholeNodeHost.ts';

/** Who is compared by what. */
export interface Comparison<H extends Host> {
  readonly takesPart: (contestant: Contestant) => boolean;
  readonly openNode: (gpu: NodeGpu, runtime: BenchContext['runtime']) => Promise<H>;
  readonly openChromium: () => Promise<H>;
  /** The loads of a run, those with the same type and length together. Throws ShapeError. */
  readonly loadsOf: (flags: PeerFlags, rotation: Rotation) => PeerLoad<H>[];
}

/** One step of attention, or a prompt. */
export const ATTENTION: Comparison<AttentionHost> = {
  takesPart: attends,
  openNode: openNodeHost,
  // Imported here: without the contestants in Chromium no Playwright need be installed.
  openChromium: async () => (await import('./chromiumHost.ts')).openChromiumHost(),
  loadsOf: (flags, rotation) =>
    shapesOf(flags).map((shape) => attentionLoad(shape, { ...rotation, seed: flags.seed })),
};

/** One token through a Llama. */
export const WHOLE: Comparison<WholeHost> = {
  takesPart: generates,
  openNode: openWholeNodeHost,
  openChromium: async () => (await import('./wholeChromiumHost.ts')).openWholeChromiumHost(),
  loadsOf: (flags, { coldBytes }) =>
    shapesOf(flags).map((shape) => {
      return wholeLoad(llamaSizes(shape, flags.quick === true), shape.depth, { seed: flags.seed, coldBytes });
    }),
};

/** One step of training a Llama. */
export const TRAIN: Comparison<TrainHost> = {
  takesPart: trains,
  openNode: openTrainNodeHost,
  openChromium: () => Promise.reject(new Error('nobody trains in Chromium')),
  loadsOf: ({ size, seed }, { coldBytes }) => [trainLoad(size, { seed, coldBytes })],
};
