// laneProbe.ts: whether the compiled fused kernel has the subgroups that a probe of another shader saw.
import { createStorage, readBack } from '../device/buffers.ts';
import type { GqaDevice } from '../device/gqaDevice.ts';
import { beginPass, bindKernel, dispatch, endPass } from '../device/record.ts';
import { StepRing } from '../device/ring.ts';
import { validated } from '../device/scopes.ts';
import { fusedGrid, fusedKernel } from '../kernels/fused.ts';
import type { RowType } from '../kernels/rowFormats.ts';
import { rowPlaces, type RowPlaces } from '../kernels/rowPlaces.ts';
import { packStep } from '../kernels/stepNumbers.ts';
import { partialBytes, type PlanContext } from './planContext.ts';

/** A step over one key, of a sequence with a single KV head and dense rows. */
function oneKey({ shape, q, o, lse }: PlanContext): Uint32Array<ArrayBuffer> {
  const axes = { batch: 1, heads: shape.groupSize, qLen: shape.qLen };
  const dense = ({ type, dim }: RowPlaces) => rowPlaces('lane probe', { type }, axes, dim);
  const header = {
    capacity: 1,
    kScales: 0,
    vScales: 0,
    smScale: 1,
    q: dense(q),
    o: dense(o),
    lse: dense(lse),
  };
  const starts = { qStart: 0, oStart: 0, lseStart: 0 };
  return packStep(
    { ...header, numQHeads: shape.groupSize, rows: shape.rowsPerKvHead },
    [{ kvLen: 1, qLen: shape.qLen, ...starts, firstState: 0, numSplits: 1 }],
    [{ sequence: 0, begin: 0, end: 1 }],
  );
}

/**
 * Runs the kernel over one key of zeros, without log-sum-exps and with them. A pipeline whose subgroups are smaller than a team
 * writes NaN, whatever size the device chose for other shaders: compilers choose it for each.
 */
export async function laneFault(device: GqaDevice, context: PlanContext): Promise<string | undefined> {
  for (const lse of [false, true]) {
    if (await writesNaN(device, context, lse))
      return 'the kernel itself has smaller subgroups than its teams';
  }
  return undefined;
}

async function writesNaN(device: GqaDevice, context: PlanContext, lse: boolean): Promise<boolean> {
  const { shape, layout, variant, subgroupSize } = context;
  const rows = { q: context.q.type, o: context.o.type, lse };
  const compiled = await device.pipelines.get(fusedKernel(shape, layout, variant, rows, subgroupSize));
  const oneHead = { ...shape, batch: 1, numKvHeads: 1, numQHeads: shape.groupSize };
  const sizes = {
    q: shape.rowsPerKvHead * shape.headDim * 4,
    k_cache: shape.headDim * 4,
    v_cache: shape.vHeadDim * 4,
    o: shape.rowsPerKvHead * shape.vHeadDim * 4,
    partial: partialBytes(oneHead, 1),
    ...(lse && { lse: shape.rowsPerKvHead * 4 }),
  };
  const step = oneKey(context);
  const ring = new StepRing(device, 'lane probe: step', step.length);
  const buffers = Object.entries(sizes).map(([name, size]) => {
    return [name, createStorage(device, `lane probe: ${name}`, size)] as const;
  });
  const o = buffers.find(([name]) => name === 'o')![1];
  try {
    await validated(device, 'lane probe', () => {
      const ranges = buffers.map(([name, buffer]) => [name, { buffer, offset: 0, size: buffer.size }]);
      const bound = bindKernel(device.gpu, compiled, { ...Object.fromEntries(ranges), step: ring });
      const encoder = device.gpu.createCommandEncoder({ label: 'lane probe' });
      const pass = beginPass('lane probe', device, encoder);
      dispatch(pass, bound, fusedGrid(oneHead, variant, 1, shape.qLen), ring.place(step));
      endPass(encoder, pass);
      device.gpu.queue.submit([encoder.finish()]);
    });
    return holdsNaN(await readBack(device, o), rows.o);
  } finally {
    ring.destroy();
    for (const [, buffer] of buffers) buffer.destroy();
  }
}

function holdsNaN(bytes: ArrayBuffer, type: RowType): boolean {
  if (type === 'f32') return new Float32Array(bytes).some(Number.isNaN);
  return new Uint16Array(bytes).some((bits) => (bits & 0x7fff) > 0x7c00);
}
