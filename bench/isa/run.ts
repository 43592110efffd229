// run.ts: compiles the cases for one family after the other and reads what the compilers made of them.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GqaError } from '../../src/index.ts';
import { DAWN_NAME } from '../../src/node/adapters.ts';
import { runtimeContext } from '../../src/node/runtimeContext.ts';
import { userCache } from '../../src/node/userCache.ts';
import { peerVersion } from '../peers/context.ts';
import type { IsaFamily, IsaResult, IsaRow } from '../schema/isaSchema.ts';
import { ISA_SCHEMA } from '../schema/version.ts';
import { casesOf } from './cases.ts';
import type { Compiled } from './compiled.ts';
import { COMPILERS, FAMILIES, type Family } from './families.ts';
import { nonStandard, type IsaFlags } from './options.ts';
import { installedPeer, PEER_PACKAGE, peerTypes } from './peer/peer.ts';
import { compilePeer } from './peer/peerRows.ts';
import { familyRows } from './rows.ts';
import { prepareDrivers, runOnAbsentGpu, type Drivers } from './tools/absentGpu.ts';
import { debianRoot } from './tools/debian.ts';
import { mesaBuild } from './tools/mesaBuild.ts';
import { checkMachine } from './tools/programs.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Who hears of what takes time, and who ends it. */
export interface Watch {
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Runs what the flags ask for. Rejects with GqaError where a family cannot be compiled for, with the signal's reason once it aborts. */
export async function compileAll(flags: IsaFlags, watch: Watch): Promise<IsaResult> {
  checkMachine();
  const cache = userCache();
  if (!cache) throw new GqaError('isa', 'bench:isa: expected a home folder or XDG_CACHE_HOME, got neither');
  const tools = join(cache, 'gqa-webgpu', 'isa');
  mkdirSync(tools, { recursive: true });
  const root = debianRoot(tools, flags.mirror, watch.note);
  const built = mesaBuild(tools, root, watch.note);
  const work = mkdtempSync(join(tmpdir(), 'gqa-isa-'));
  try {
    const drivers = prepareDrivers(work, root, built);
    return await compileFamilies(flags, drivers, work, watch);
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function compileFamilies(
  flags: IsaFlags,
  drivers: Drivers,
  work: string,
  { note, signal }: Watch,
): Promise<IsaResult> {
  const peer = installedPeer(peerTypes(flags), peerVersion(PEER_PACKAGE), note);
  const cases = join(work, 'cases.json');
  writeFileSync(cases, JSON.stringify(casesOf(flags)));
  const families: IsaFamily[] = [];
  const results: IsaRow[] = [];
  const refused: IsaResult['refused'][number][] = [];
  for (const family of FAMILIES.filter(({ name }) => flags.families.includes(name))) {
    note(`compiling for ${family.name} (${family.gpu})`);
    const folder = join(flags.keep ?? work, family.name);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const compiled = await compileFor(family, drivers, cases, { folder, signal });
    families.push(familyOf(family, compiled));
    results.push(...familyRows(family, compiled, folder));
    refused.push(...compiled.refused.map((each) => ({ family: family.name, ...each })));
    if (peer) {
      const theirs = await compilePeer(family, drivers, peer, { folder, signal });
      results.push(...theirs.rows);
      refused.push(...theirs.refused);
    }
  }
  return { schema: ISA_SCHEMA, context: contextOf(flags, drivers, families), results, refused };
}

async function compileFor(
  family: Family,
  drivers: Drivers,
  cases: string,
  place: { readonly folder: string; readonly signal: AbortSignal },
): Promise<Compiled> {
  const compiled = join(place.folder, 'compiled.json');
  const script = [join(ROOT, 'scripts/runTs.mjs'), 'bench/isa/compileCases.ts', cases, compiled];
  await runOnAbsentGpu(drivers, family, script, place);
  return JSON.parse(readFileSync(compiled, 'utf8')) as Compiled;
}

function familyOf({ name, gpu, driver, mostResident }: Family, { adapter }: Compiled): IsaFamily {
  const compiler = COMPILERS[driver];
  return { name, gpu, compiler, adapter, ...(mostResident && { mostResident }) };
}

function contextOf(flags: IsaFlags, { root }: Drivers, families: IsaFamily[]): IsaResult['context'] {
  const { version, commit, runtime } = runtimeContext({ webgpu: DAWN_NAME });
  return {
    date: new Date().toISOString(),
    tool: { name: 'gqa-webgpu', version, ...(commit && { commit }) },
    runtime,
    mesa: root.mesaVersion,
    families,
    nonStandard: nonStandard(flags),
  };
}
