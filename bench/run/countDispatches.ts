// countDispatches.ts: how many dispatches a recording has.
import type { GqaDevice } from '../../src/index.ts';
import type { RecordPass } from './timer.ts';

/** Records it into a pass that is never submitted, and counts. */
export function countDispatches({ gpu }: GqaDevice, recorder: { readonly record: RecordPass }): number {
  let count = 0;
  const pass = gpu.createCommandEncoder({ label: 'counted' }).beginComputePass();
  const dispatch = pass.dispatchWorkgroups.bind(pass);
  pass.dispatchWorkgroups = (...grid) => {
    count++;
    return dispatch(...grid);
  };
  recorder.record(pass);
  pass.end();
  return count;
}
