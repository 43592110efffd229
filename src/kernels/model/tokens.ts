// tokens.ts: kernels from logits to tokens and losses.
import numbers from '../../../shaders/lib/numbers.wgsl?raw';
import sampleSource from '../../../shaders/model/sample.wgsl?raw';
import lossSource from '../../../shaders/model/token_loss.wgsl?raw';
import type { DeviceFacts } from '../../device/deviceFacts.ts';
import { link } from '../../device/wgsl.ts';
import type { Kernel } from '../kernel.ts';
import { MODEL_STEP } from './modelStep.ts';

/** Invocations that share a row: many, for a row is long; on a CPU, where each is run in turn between barriers, few. */
export function rowInvocations({ software }: Pick<DeviceFacts, 'software'>): number {
  return software ? 16 : 256;
}

/** Where logits lie: `vocab` of them in each row, rows `stride` elements apart. */
export interface LogitRows {
  readonly vocab: number;
  readonly stride: number;
}

/** Chooses a token for each row; `resultRows`: the most rows; `invocations`: of a row, a power of two. */
export function sample(
  { vocab, stride }: LogitRows,
  resultRows: number,
  greedy: boolean,
  invocations: number,
): Kernel {
  const consts = {
    VOCAB: vocab,
    LOGITS: stride,
    RESULT_ROWS: resultRows,
    WG_SIZE: invocations,
    GREEDY: greedy,
  };
  return { name: 'sample', source: link({ kernel: sampleSource, libs: [MODEL_STEP, numbers], consts }) };
}

/** The negative log-likelihood of each row's wanted token. */
export function tokenLoss({ vocab, stride }: LogitRows, invocations: number): Kernel {
  const consts = { VOCAB: vocab, LOGITS: stride, WG_SIZE: invocations };
  return { name: 'token_loss', source: link({ kernel: lossSource, libs: [numbers], consts }) };
}
