// kernels.ts: the kernels that the test device can run.
import type { DecodeKernel, FusedTemplate } from '../../src/index.ts';
import { DECODE_KERNELS } from '../../src/decode/planContext.ts';
import { hasRegisters } from '../../src/kernels/registersSizes.ts';
import { testDevice } from './device.ts';

const { facts } = await testDevice();

/** All of them but `prefill`, which its own tests try; registers only where there are subgroups. */
export const KERNELS: readonly DecodeKernel[] = DECODE_KERNELS.filter((kernel) => {
  if (kernel === 'prefill') return false;
  return kernel !== 'registers' || hasRegisters(facts);
});

/** The templates of the fused kernel among them. */
export const TEMPLATES = KERNELS.filter((kernel): kernel is FusedTemplate => kernel !== 'plain');
