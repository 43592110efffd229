// peerRows.ts: the peer's kernels compiled for a family, as rows of the result.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PeerType } from '../../peers/inputs.ts';
import type { IsaLoop, IsaResult, IsaRow } from '../../schema/isaSchema.ts';
import { amdPasses } from '../assembly/amd.ts';
import { intelPasses } from '../assembly/intel.ts';
import type { LoopCounts } from '../assembly/loops.ts';
import type { DriverName, Family } from '../families.ts';
import { pipelineLines } from '../rows.ts';
import { pipelineNumbers } from '../statistics.ts';
import { runOnAbsentGpu, type Drivers } from '../tools/absentGpu.ts';
import { PEER_ATTENTION, peerCase, PEER_KERNELS, type Peer } from './peer.ts';

/** The library's module is big: optimising it in the background takes minutes, and the process would not end before. */
const WITHOUT_TIERS = ['--liftoff-only'];

const RUN_TS = fileURLToPath(new URL('../../../scripts/runTs.mjs', import.meta.url));

/** What a process of compilePeer.ts tells. */
export interface PeerCompiled {
  /** Why the device cannot run the step. */
  readonly refused?: string;
}

/**
 * Has the peer's steps compiled for a family, each in a process and a folder of its own. Rejects with GqaError where that
 * fails, with the signal's reason once it aborts.
 */
export async function compilePeer(
  family: Family,
  drivers: Drivers,
  { engine, types }: Peer,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal },
): Promise<{ readonly rows: IsaRow[]; readonly refused: IsaResult['refused'][number][] }> {
  const rows: IsaRow[] = [];
  const refused: IsaResult['refused'][number][] = [];
  for (const type of types) {
    const own = join(folder, `onnxruntime-${type}`);
    mkdirSync(own);
    const compiled = join(own, 'compiled.json');
    const script = [...WITHOUT_TIERS, RUN_TS, 'bench/isa/peer/compilePeer.ts', type, compiled];
    await runOnAbsentGpu(drivers, family, script, { folder: own, signal });
    const { refused: why } = JSON.parse(readFileSync(compiled, 'utf8')) as PeerCompiled;
    if (why === undefined) rows.push(...peerRows(family, engine, type, own));
    else refused.push({ family: family.name, id: `${engine} ${peerCase(type)}`, why });
  }
  return { rows, refused };
}

/** A row for each of the peer's kernels that the layer wrote into `folder`. Throws GqaError where one is missing. */
export function peerRows(family: Family, engine: string, type: PeerType, folder: string): IsaRow[] {
  const lineOf = pipelineLines(family, folder);
  return PEER_KERNELS.map((kernel) => {
    const line = lineOf(kernel);
    const loop =
      kernel === PEER_ATTENTION ? passesOf(family.driver, join(folder, `${kernel}.s`), type) : undefined;
    return {
      family: family.name,
      engine,
      kernel,
      cases: [peerCase(type)],
      invocations: line.invocations,
      subgroupSize: line.subgroupSize,
      ...pipelineNumbers(family, line),
      ...(loop && { loop }),
    };
  });
}

/** NAK and ir3 give no text to a program. */
const PASSES: Partial<Record<DriverName, (text: string) => LoopCounts | undefined>> = {
  radeon: amdPasses,
  intel: intelPasses,
};

const ELEMENT_BYTES: Readonly<Record<PeerType, number>> = { f32: 4, f16: 2 };

/** A turn of both passes; each element that it loads meets one query row, and is loaded anew for the next. */
function passesOf(driver: DriverName, file: string, type: PeerType): IsaLoop | undefined {
  const loop = existsSync(file) ? PASSES[driver]?.(readFileSync(file, 'utf8')) : undefined;
  return loop && { ...loop, multiplyAdds: loop.loadBytes / ELEMENT_BYTES[type] };
}
