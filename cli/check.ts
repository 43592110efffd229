// check.ts: `gqa check`: are the kernels right on this adapter? Every result is compared with a float64 reference.
import { type Command, Option } from 'commander';
import { version } from '../package.json';
import { casesFor, CHECK_CASES } from '../bench/check/cases.ts';
import { checkAppends, type AppendCheck } from '../bench/check/checkAppend.ts';
import {
  planChecks,
  runChecks,
  type CheckOptions,
  type CheckRow,
  type CheckRun,
  STANDARD_KERNELS,
} from '../bench/check/check.ts';
import { partialOf } from '../bench/run/endedEarly.ts';
import { checkJson, checkMarkdown, passed, type CheckResult } from '../bench/report/checkReport.ts';
import { DECODE_KERNELS, type DecodeKernel } from '../src/decode/planContext.ts';
import { probedFacts } from '../src/decode/probe.ts';
import { ShapeError } from '../src/device/errors.ts';
import { interruptible, InterruptedError } from '../src/node/command/interrupt.ts';
import {
  checkModelOptions,
  refuseModelOptions,
  runModelCheck,
  type CheckModelFlags,
} from './model/checkModel.ts';
import { openNode, type NodeDevice } from '../src/node/command/openNode.ts';
import { formatOption, listOption } from '../src/node/command/options.ts';
import { Progress } from '../src/node/command/progress.ts';
import { runQuietly } from './runQuietly.ts';
import { EXIT } from '../src/node/command/usage.ts';
import { runtimeContext } from '../src/node/runtimeContext.ts';

interface CheckFlags extends CheckModelFlags {
  readonly kernel: readonly DecodeKernel[];
  readonly quick?: true;
  readonly case?: string;
  readonly full?: true;
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
  const ofModel = checkModelOptions(KERNEL_OPTIONS.map((option) => option.attributeName()));
  for (const option of [...KERNEL_OPTIONS, ...ofModel, formatOption()]) check.addOption(option);
}

/** Options of the check of kernels, which a model's does not have. */
const KERNEL_OPTIONS: readonly Option[] = [
  new Option('--quick', 'of each element type every fifth case of the grid'),
  new Option('--full', 'the whole grid on a software adapter too (takes many minutes)').conflicts('quick'),
  new Option('--case <text>', 'only cases whose name contains this, such as one that failed').conflicts(
    'quick',
  ),
  listOption('--kernel <list>', 'kernels to check', DECODE_KERNELS).default(
    STANDARD_KERNELS,
    STANDARD_KERNELS.join(','),
  ),
];

const HELP = `
A control case, then one thing varied at a time: query heads per KV head 1 to 71, head dims 8 to 512, 1 to 1000 tokens,
batches with an empty sequence, 1 to 8 queries, every element type of a cache; each by every kernel that the device runs.
Then features of scores alone, by pairs and all together, sequences of different
positions, q and o in f16 and in other orders, caches of pages, appends and forks. A software adapter needs seconds for each
shader: it gets fewer combinations, and the report says how many.
Bound: twice the error of a naive f32 implementation, plus 1e-6 of the largest expected value. What is appended to a cache
must be stored as on the host, to the bit, and counted where its type cannot hold it (not with --case or --kernel).

With --model a whole model is checked instead: the hidden states behind every layer, keys and values, logits and greedy
tokens, against the model in float64 from the same safetensors, weights rounded as they are stored on the device. The prompt
goes in chunks, then token by token. Bound: twice the error of the same model in naive f32, plus 1e-6 of the largest expected
value. K and V must be what such values are stored as in a cache of its type; what attends to them sees the stored ones.

Examples:
  gqa check --quick
  gqa check --adapter swiftshader --kernel tiles -o json > check.json
  gqa check --model ./smollm --tokens 1,403,407
  gqa check --model ./smollm --prompt Once --weight-type int8 -ctk int4 --kv-heads 8,1`;

async function run(command: Command, flags: CheckFlags): Promise<void> {
  if (flags.model !== undefined) return runModelCheck(command, flags.model, flags);
  refuseModelOptions(command, ['adapter', 'requireGpu']);
  const note = (line: string) => command.configureOutput().writeErr?.(`${line}\n`);
  const opened = await openNode(flags);
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
  // Who asks for a case or a kernel asks for that alone.
  const all = flags.case === undefined && flags.kernel === STANDARD_KERNELS;
  const appends = await (all ? checkAppends(opened.device) : Promise.resolve([])).catch((error: unknown) => {
    opened.device.destroy();
    throw error;
  });
  const options = { cases, kernels: flags.kernel, facts };
  const { text, exitCode } = await checkDevice(opened, options, flags.output, appends);
  command.configureOutput().writeOut?.(`${text}\n`);
  process.exitCode = exitCode;
}

/** Runs the cases, destroys the device, and returns the report with the exit code it stands for. */
export async function checkDevice(
  { found, device }: NodeDevice,
  options: CheckOptions,
  format: 'md' | 'json',
  appends: readonly AppendCheck[] = [],
): Promise<{ text: string; exitCode: number }> {
  const runs = planChecks(options.facts ?? device.facts, options);
  const total = runs.length;
  if (total === 0) {
    device.destroy();
    const kernels = (options.kernels ?? STANDARD_KERNELS).join(', ');
    throw new ShapeError(`check: none of these cases runs on this device by ${kernels}`);
  }
  const began = performance.now();
  const { rows, cut } = await runAll(device, options, runs);
  const seconds = (performance.now() - began) / 1000;
  const partial = cut === undefined ? undefined : partialOf(cut, total);
  const { runtime } = runtimeContext(found);
  const result: CheckResult = {
    version,
    runtime,
    adapter: found.adapterName,
    software: found.software,
    seconds,
    cases: options.cases,
    rows,
    appends,
    ...(partial && { partial }),
  };
  const text = format === 'md' ? checkMarkdown(result) : JSON.stringify(checkJson(result), null, 2);
  if (cut !== undefined)
    return { text, exitCode: cut instanceof InterruptedError ? cut.exitCode : EXIT.failure };
  const ok = rows.every(passed) && appends.every(({ wrong }) => wrong === undefined);
  return { text, exitCode: ok ? EXIT.ok : EXIT.failure };
}

/** All rows, or those before an interrupt or a lost device cut the check short; rejects with that where there are none. */
async function runAll(
  device: NodeDevice['device'],
  options: CheckOptions,
  runs: readonly CheckRun[],
): Promise<{ rows: CheckRow[]; cut?: unknown }> {
  const progress = new Progress();
  const rows: CheckRow[] = [];
  try {
    await interruptible('ending the check, results so far are kept', async (signal) => {
      progress.until(signal);
      const show = () => showNext(progress, runs, rows.length);
      show();
      for await (const row of runChecks(device, { run: runQuietly, signal, ...options })) {
        rows.push(row);
        if (rows.length < runs.length) show();
      }
      progress.done();
    });
    return { rows };
  } catch (error) {
    if (rows.length === 0) throw error;
    return { rows, cut: error };
  } finally {
    progress.end();
    device.destroy();
  }
}

/** Shows the run that is under way when so many are done. */
function showNext(progress: Progress, runs: readonly CheckRun[], done: number): void {
  const next = runs[done]!;
  progress.show(`${done + 1} of ${runs.length}: ${next.case.name}, ${next.kernel}`, done / runs.length);
}
