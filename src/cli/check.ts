// check.ts: `gqa check`, are the kernels right on this adapter? Every result is held against a float64 reference.
import { type Command, Option } from 'commander';
import { version } from '../../package.json';
import { CHECK_CASES, quickCases, SOFTWARE_CASES, type CheckCase } from '../../bench/cases.ts';
import { planChecks, runChecks, type CheckOptions, type CheckRow } from '../../bench/check.ts';
import { DECODE_KERNELS, type DecodeKernel } from '../decode/plan.ts';
import { probedFacts } from '../decode/probe.ts';
import { ShapeError } from '../device/errors.ts';
import { checkText, groupChecks, passed } from './checkReport.ts';
import { adapterOptions, openNode, type AdapterOptions, type NodeDevice } from './openNode.ts';
import { Progress } from './progress.ts';
import { runQuietly } from './runQuietly.ts';
import { choiceList, EXIT } from './usage.ts';

interface CheckFlags extends AdapterOptions {
  readonly kernel: readonly DecodeKernel[];
  readonly quick?: true;
  readonly case?: string;
  readonly full?: true;
  readonly output: 'md' | 'json';
}

/**
 * Adds the `check` command to the program. The report goes to the program's `writeOut`, progress to stderr. The
 * process's exit code: 0 when every result is within its bound, else 1.
 */
export function registerCheck(program: Command): void {
  const check = program
    .command('check')
    .description('are the kernels right on this device? Each result is compared with a float64 reference')
    .addHelpText('after', HELP)
    .action((flags: CheckFlags) => run(check, flags));
  for (const option of [...OPTIONS, ...adapterOptions()]) check.addOption(option);
}

/** All but the experimental one, which needs a device opened for it. */
const STANDARD_KERNELS = DECODE_KERNELS.filter((kernel) => kernel !== 'matrix');

const OPTIONS: readonly Option[] = [
  new Option('--quick', 'every fifth case of the grid'),
  new Option('--full', 'the whole grid on a software adapter too (takes many minutes)').conflicts('quick'),
  new Option('--case <text>', 'only cases whose name contains this, such as one that failed').conflicts(
    'quick',
  ),
  new Option('--kernel <list>', 'kernels to check')
    .argParser((text) => choiceList(text, DECODE_KERNELS))
    .default(STANDARD_KERNELS, STANDARD_KERNELS.join(',')),
  new Option('-o, --output <format>', 'format').choices(['md', 'json']).default('md'),
];

const HELP = `
A control case, then one thing varied at a time: query heads per KV head 1 to 71, head dims 64 to 256, 1 to 1000 tokens,
batches with an empty sequence, 1 to 8 queries, every element type of a cache; each by every kernel that the device runs
(--kernel adds the experimental one). A software adapter needs seconds for each shader: it gets fewer combinations.
Bound: twice the error of a naive f32 implementation, plus 1e-6 of the largest expected value.

Examples:
  gqa check --quick
  gqa check --adapter swiftshader --kernel tiles -o json > check.json`;

async function run(command: Command, flags: CheckFlags): Promise<void> {
  const note = (line: string) => command.configureOutput().writeErr?.(`${line}\n`);
  const opened = await openNode({ ...flags, experimental: flags.kernel.includes('matrix') });
  const cases = casesFor(opened.device.facts.software, flags);
  if (cases.length === 0) {
    opened.device.destroy();
    throw new ShapeError(
      `check: no case's name contains "${flags.case}"; the control case is ${CHECK_CASES[0]!.name}`,
    );
  }
  const { facts, report } = await probedFacts(opened.device);
  if (report?.fault !== undefined)
    note(`warning  no kernel on subgroups is checked, none is used: ${report.fault}`);
  const options = { cases, kernels: flags.kernel, facts };
  const { text, exitCode } = await checkDevice(opened, options, flags.output);
  command.configureOutput().writeOut?.(`${text}\n`);
  process.exitCode = exitCode;
}

function casesFor(software: boolean, { quick, full, case: text }: CheckFlags): readonly CheckCase[] {
  const grid = software && !full ? SOFTWARE_CASES : CHECK_CASES;
  return quick ? quickCases(grid) : grid.filter(({ name }) => name.includes(text ?? ''));
}

/** Runs the cases, destroys the device, and returns the report with the exit code it stands for. */
export async function checkDevice(
  { found, device }: NodeDevice,
  options: CheckOptions,
  format: 'md' | 'json',
): Promise<{ text: string; exitCode: number }> {
  const total = planChecks(options.facts ?? device.facts, options).length;
  if (total === 0) {
    device.destroy();
    const kernels = (options.kernels ?? DECODE_KERNELS).join(', ');
    throw new ShapeError(`check: none of these cases runs on this device by ${kernels}`);
  }
  const progress = new Progress();
  const rows: CheckRow[] = [];
  const began = performance.now();
  try {
    for await (const row of runChecks(device, { run: runQuietly, ...options })) {
      rows.push(row);
      const tenths = Math.floor((10 * rows.length) / total);
      progress.show(`checked ${tenths * 10} %: ${rows.length} of ${total}, ${row.case}`);
    }
  } finally {
    progress.end();
    device.destroy();
  }
  const seconds = (performance.now() - began) / 1000;
  const adapter = found.adapterName;
  const text =
    format === 'md'
      ? `${head(adapter, options.cases, seconds)}\n\n${checkText(rows)}`
      : JSON.stringify(
          { version, adapter, software: found.software, seconds, groups: groupChecks(rows), rows },
          null,
          2,
        );
  return { text, exitCode: rows.every(passed) ? EXIT.ok : EXIT.failure };
}

function head(adapter: string, cases: readonly CheckCase[], seconds: number): string {
  const left = CHECK_CASES.length - cases.length;
  const scope =
    left > 0 ? `${cases.length} of the grid's ${CHECK_CASES.length} cases` : `all ${cases.length} cases`;
  return [
    `gqa ${version} check on "${adapter}", ${scope}, ${seconds.toFixed(1)} s`,
    ...(cases.some(({ variants }) => variants) ? [FEWER] : []),
  ].join('\n');
}

const FEWER =
  'Lengths, batches, element types and group sizes by every kernel. Head dims and query counts: f16, by the kernel that this\n' +
  'device takes (--full for the rest).';
