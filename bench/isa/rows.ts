// rows.ts: a family's compiled kernels as rows of the result.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GqaError } from '../../src/index.ts';
import { OUR_ENGINE, type IsaLoop, type IsaRow } from '../schema/isaSchema.ts';
import { amdMainLoop } from './assembly/amd.ts';
import { intelMainLoop } from './assembly/intel.ts';
import type { LoopCounts } from './assembly/loops.ts';
import type { Compiled, CompiledCase } from './compiled.ts';
import type { DriverName, Family } from './families.ts';
import { pipelineNumbers, type PipelineLine } from './statistics.ts';
import { multiplyAdds } from './work.ts';

/** NAK and ir3 give no text to a program. */
const MAIN_LOOP: Partial<Record<DriverName, (text: string) => LoopCounts | undefined>> = {
  radeon: amdMainLoop,
  intel: intelMainLoop,
};

/** A row for each pipeline that the layer wrote into `folder`. Throws GqaError where one is missing. */
export function familyRows(family: Family, compiled: Compiled, folder: string): IsaRow[] {
  const lineOf = pipelineLines(family, folder);
  return compiled.kernels.map(({ label, name }) => {
    const line = lineOf(label);
    const users = compiled.cases.filter(({ labels }) => labels.includes(label));
    const fused = name.startsWith('decode_') && name !== 'decode_merge';
    const loop = fused ? loopOf(family, join(folder, `${label}.s`), users[0]!) : undefined;
    return {
      family: family.name,
      engine: OUR_ENGINE,
      kernel: name,
      cases: users.map(({ id }) => id),
      ...(fused && { variant: users[0]!.variant }),
      invocations: line.invocations,
      subgroupSize: line.subgroupSize,
      ...pipelineNumbers(family, line),
      ...(loop && { loop }),
    };
  });
}

/** What the layer wrote into `folder` of a pipeline, by its label. Throws GqaError where it wrote nothing of it. */
export function pipelineLines({ name }: Family, folder: string): (label: string) => PipelineLine {
  const lines = readFileSync(join(folder, 'pipelines.jsonl'), 'utf8').trim().split('\n');
  const pipelines = new Map(
    lines.map((line) => JSON.parse(line) as PipelineLine).map((line) => [line.name, line]),
  );
  return (label) => {
    const line = pipelines.get(label);
    if (!line) throw new GqaError('isa', `${name}: the driver compiled no ${label}`);
    return line;
  };
}

/** The main loop of a fused kernel, where the driver has its assembly as text. */
function loopOf({ driver }: Family, file: string, { variant, headDim }: CompiledCase): IsaLoop | undefined {
  const loop = existsSync(file) ? MAIN_LOOP[driver]?.(readFileSync(file, 'utf8')) : undefined;
  if (!loop) return undefined;
  const work = multiplyAdds(variant, headDim);
  return { ...loop, ...(work !== undefined && { multiplyAdds: work }) };
}
