// cliffs.ts: `npm run bench:cliffs`, times decode steps on both sides of planning thresholds. Exit code 1 when time jumps.
import { DEFAULT_SEED } from '../src/numbers/random.ts';
import { Command, Option } from 'commander';
import { measureCliffs, type LoadCliffs } from '../bench/studies/cliffs.ts';
import { cliffsReport, hasCliff } from '../bench/studies/cliffsReport.ts';
import { loadShapes } from '../bench/studies/thresholds.ts';
import { adapterOptions, openNode, type AdapterOptions } from '../src/node/command/openNode.ts';
import { interruptible } from '../src/node/command/interrupt.ts';
import { Progress } from '../src/node/command/progress.ts';
import { reportError } from '../src/node/command/reportError.ts';
import { readTuningFor } from '../src/node/tuningFile.ts';
import { EXIT, wholeNumber } from '../src/node/command/usage.ts';
import { KV_TYPES, type KvType } from '../src/numbers/elements.ts';
import { quietWait } from '../src/node/quiet.ts';
import { collectGarbage } from '../src/node/collect.ts';
import { runScript } from './runScript.ts';

interface Flags extends AdapterOptions {
  readonly depth?: number;
  readonly cacheType: KvType;
  readonly tuning: boolean;
  readonly seed: number;
}

const DEPTHS = { gpu: 16384, software: 2048 };

const ROTATED_BYTES = 256 * 2 ** 20;

async function run(flags: Flags): Promise<void> {
  const progress = new Progress();
  const { found: adapter, device } = await openNode(flags, (line) => progress.line(line));
  const { software } = device.facts;
  const loads = loadShapes(flags.cacheType);
  const found: LoadCliffs[] = [];
  const depth = flags.depth ?? DEPTHS[software ? 'software' : 'gpu'];
  let cut: unknown;
  try {
    await interruptible('ending the run, finished shapes are kept', async (signal) => {
      progress.until(signal);
      const cliffs = measureCliffs(device, {
        loads,
        signal,
        upTo: depth,
        // Arithmetic is the limit on a software adapter, wherever the caches lie.
        cache: software ? 'hot' : 'cold',
        rotatedBytes: ROTATED_BYTES,
        seed: flags.seed,
        quiet: quietWait,
        collect: collectGarbage,
        ...(flags.tuning && { tuning: readTuningFor(device, (line) => progress.line(line)) }),
      });
      const show = () =>
        progress.show(`${found.length} of ${loads.length} shapes`, found.length / loads.length);
      show();
      for await (const each of cliffs) {
        found.push(each);
        show();
      }
      progress.done();
    });
  } catch (error) {
    if (found.length === 0) throw error;
    cut = error;
  } finally {
    progress.end();
    device.destroy();
  }
  const partial = cut === undefined ? '' : ` · PARTIAL: ${found.length} of ${loads.length} shapes`;
  const head = `${adapter.adapterName}${software ? ' · SOFTWARE' : ''}${partial}`;
  process.stdout.write(`${head}\n\n${cliffsReport(found)}\n`);
  if (hasCliff(found)) process.exitCode = EXIT.failure;
  if (cut !== undefined) process.exitCode = reportError(cut);
}

function command(): Command {
  const program = new Command('npm run bench:cliffs --')
    .description(
      'times decode steps on both sides of lengths where the plan changes in kind; exit code 1 when time jumps',
    )
    .exitOverride()
    .action((flags: Flags) => run(flags));
  const options = [
    new Option(
      '-d, --depth <n>',
      'longest length; default: 16384 on a GPU, 2048 on a software adapter',
    ).argParser((text) => wholeNumber(text, 64, 2 ** 20)),
    new Option('--cache-type <type>', 'stored type of K and V').choices(KV_TYPES).default('f16'),
    new Option('--no-tuning', 'ignore what gqa tune found on this device'),
    new Option('--seed <n>', 'of the random input')
      .argParser((text) => wholeNumber(text, 0, 2 ** 31))
      .default(DEFAULT_SEED),
    ...adapterOptions(),
  ];
  for (const option of options) program.addOption(option);
  return program;
}

await runScript(() => command().parseAsync());
