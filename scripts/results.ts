// results.ts: `npm run results`, measures this machine and makes what shows it: result files, their charts, the README.
//
// Each adapter is measured in a process of its own, and nothing is written before the last is done: a result names the
// commit it was made from, and says if anything was changed since.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { ofThisSuite } from '../bench/schema/readResult.ts';
import type { DoctorFacts } from '../src/node/doctor/doctorFacts.ts';
import { readResultFile } from '../bench/schema/readResultFile.ts';
import { writeOutput } from '../src/files/outputFile.ts';
import { GqaError } from '../src/index.ts';
import { EMBEDDED } from '../src/node/adapters.ts';
import { resultName, RESULTS, ROOT } from './resultFiles.ts';
import { runScript } from './runScript.ts';

/** From all heads to one, over several lengths: what both charts need. Sizes of the kernels are the untuned ones. */
const COMMON = ['--kv-heads', '32,16,8,4,2,1', '--no-tuning'];
const DEPTHS = { gpu: '1024-32768*2', software: '512-4096*2' };

const HELP = `
Runs gqa bench on the adapters given; without any, on the best there is and, on a machine without a GPU, on the embedded
software one too. Then \`npm run charts\` and \`npm run readme\`. Options after -- go to gqa bench:
  npm run results -- --adapter llvmpipe -- --label desk --max-time 20`;

async function run(bench: readonly string[], { adapter }: { readonly adapter?: string }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'gqa-results-'));
  try {
    const made = adaptersOf(adapter?.split(',')).map((each, i) =>
      measure(each, join(folder, `${i}.json`), bench),
    );
    for (const { file, name } of made)
      await writeOutput(join(ROOT, RESULTS, `${name}.json`), [readFileSync(file)]);
    for (const script of ['charts', 'readme']) gqa('inherit', ['scripts/runTs.mjs', `scripts/${script}.ts`]);
    process.stdout.write(`made ${made.map(({ name }) => `${RESULTS}/${name}.json`).join(', ')}\n`);
    rmSync(folder, { recursive: true });
  } catch (error) {
    // What was measured before is not measured again for a failure of what came after.
    if (readdirSync(folder).length > 0)
      process.stderr.write(`note     results so far are kept in ${folder}\n`);
    else rmSync(folder, { recursive: true });
    throw error;
  }
}

interface Chosen {
  readonly flags: readonly string[];
  readonly software: boolean;
}

function adaptersOf(names: readonly string[] | undefined): Chosen[] {
  if (names) return names.map((name) => chosen(['--adapter', name]).adapter);
  const { adapter, facts } = chosen([]);
  const embedded = /\d/.test(facts.machine.embedded ?? '') && facts.chosen!.origin !== 'embedded-software';
  return [adapter, ...(adapter.software && embedded ? [chosen(['--adapter', EMBEDDED]).adapter] : [])];
}

/** What these adapter options come to, as `gqa doctor` says. */
function chosen(flags: readonly string[]): { adapter: Chosen; facts: DoctorFacts } {
  const facts = JSON.parse(gqa('pipe', ['bin/gqa.mjs', 'doctor', '-o', 'json', ...flags])) as DoctorFacts;
  return { adapter: { flags, software: facts.chosen!.software }, facts };
}

function measure(
  { flags, software }: Chosen,
  file: string,
  bench: readonly string[],
): { file: string; name: string } {
  const depths = ['--depth', DEPTHS[software ? 'software' : 'gpu']];
  gqa('inherit', ['bin/gqa.mjs', 'bench', ...flags, ...COMMON, ...depths, ...bench, '--export-json', file]);
  const result = ofThisSuite(readResultFile(file), file);
  return { file, name: resultName(result, availableParallelism()) };
}

/** Runs Node in the repository's root to its end and returns what it printed. Throws GqaError when it failed. */
function gqa(stdout: 'inherit' | 'pipe', args: readonly string[]): string {
  const done = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', stdout, 'inherit'],
  });
  if (done.status !== 0) {
    process.stderr.write(done.stdout ?? '');
    throw new GqaError('results', `exit code ${done.status} of node ${args.join(' ')}`);
  }
  return done.stdout ?? '';
}

const program = new Command('npm run results --')
  .description('measures this machine: result files, their charts, the tables of the README')
  .argument('[options...]', 'options for gqa bench, after --')
  .option('--adapter <list>', "parts of adapters' names, or swiftshader")
  .addHelpText('after', HELP)
  .exitOverride()
  .action(run);

await runScript(() => program.parseAsync());
