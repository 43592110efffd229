// kernels.ts: the kernels that the test device can run.
import type { DecodeKernel, FusedTemplate } from '../../src/index.ts';
import { DECODE_KERNELS } from '../../src/decode/planContext.ts';
import { hasRegisters } from '../../src/kernels/registersSizes.ts';
import { testDevice } from './device.ts';

const { facts } = await testDevice();

/** All of them but prefill, which nothing chooses for a step and `prefill.test.ts` tries; registers only where there are subgroups, matrix only where there are subgroup matrices. */
export const KERNELS: readonly DecodeKernel[] = DECODE_KERNELS.filter((kernel) => {
  if (kernel === 'prefill') return false;
  if (kernel === 'matrix') return facts.matrixUnit > 0;
  return kernel !== 'registers' || hasRegisters(facts);
});

/** The templates of the fused kernel among them. */
export const TEMPLATES = KERNELS.filter((kernel): kernel is FusedTemplate => kernel !== 'plain');
