// reproduce.ts: `gqa reproduce`, the GQA paper's figures 4, 5 and 6 on this device, at a size that it trains in minutes.
import { Option, type Command } from 'commander';
import { reproduceOptions, type ReproduceOptions } from '../../bench/reproduce/options.ts';
import { reproduceReport } from '../../bench/reproduce/report.ts';
import { reproduce } from '../../bench/reproduce/run.ts';
import { METHODS, type Method } from '../../src/checkpoint/convert/plan.ts';
import { interruptible } from '../../src/node/command/interrupt.ts';
import { openNode, adapterOptions, type AdapterOptions } from '../../src/node/command/openNode.ts';
import { formatOption, listOption, MAX_COUNT } from '../../src/node/command/options.ts';
import { checkOutputOption, exportJson, outputPath } from '../../src/node/command/outputOption.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { wholeNumbers } from '../../src/node/command/usage.ts';
import { runtimeContext } from '../../src/node/runtimeContext.ts';
import { ShapeError } from '../../src/device/errors.ts';
import { TRAINING_SIZES, type TrainingSizeName } from '../../src/train/sizes.ts';
import { realNumber } from '../model/modelOptions.ts';
import { checkFigures, writeFigures } from './figures.ts';

interface ReproduceFlags extends AdapterOptions {
  readonly size?: TrainingSizeName;
  readonly seeds?: readonly number[];
  readonly alphas?: readonly number[];
  readonly kvHeads?: readonly number[];
  readonly methods?: readonly Method[];
  readonly times: boolean;
  readonly charts?: string;
  readonly exportJson?: string;
  readonly output: 'md' | 'json';
}

/** Adds the `reproduce` command. */
export function registerReproduce(program: Command): void {
  const command = program
    .command('reproduce')
    .description("the GQA paper's figures 4, 5 and 6: a small model trained, converted and trained on, here")
    .addHelpText('after', HELP)
    .action((flags: ReproduceFlags) => runReproduce(command, flags));
  for (const option of OPTIONS) command.addOption(option);
}

const OPTIONS: readonly Option[] = [
  new Option(
    '--size <name>',
    'of the model and its training; default: what the adapter trains in minutes',
  ).choices(Object.keys(TRAINING_SIZES)),
  new Option('--seeds <list>', 'trainings that figures are means of; default: 1,2').argParser(
    (text: string) => wholeNumbers(text, 0, 2 ** 31),
  ),
  new Option('--alphas <list>', 'shares of the original steps; default: 0,0.01,0.02,0.05,0.1').argParser(
    (text: string) => text.split(',').map((part) => realNumber(part, 0, 1)),
  ),
  new Option('--kv-heads <list>', 'KV heads; default: all divisors').argParser((text: string) =>
    wholeNumbers(text, 1, MAX_COUNT),
  ),
  listOption('--methods <list>', `how heads are merged; default: ${METHODS.join(',')}`, METHODS),
  new Option('--no-times', 'leave out figure 6, the time of decode steps'),
  new Option('--charts <folder>', 'also draw the figures, as SVG files in this folder').argParser(outputPath),
  new Option('--export-json <file>', 'also write the result').argParser(outputPath),
  formatOption(),
  ...adapterOptions(),
];

const HELP = `
Figure 4: losses by method of conversion; 5: by alpha, the share of the original steps that are trained further; 6: time by KV heads.
Each is a table, and with --charts also figure4.svg, figure5.svg and figure6.svg: means over the seeds, and the least and the most.
The text is made up and seeded, so that the same command gives the same losses on the same device. Losses are in nats a token.

Examples:
  gqa reproduce --size tiny --seeds 1 --alphas 0.05 --methods mean,first,random --no-times
  gqa reproduce --size tiny --charts ./figures`;

async function runReproduce(command: Command, flags: ReproduceFlags): Promise<void> {
  const output = command.configureOutput();
  if (flags.exportJson !== undefined) await checkOutputOption('--export-json', flags.exportJson);
  if (flags.charts !== undefined) await checkFigures(flags.charts);
  const progress = new Progress();
  const { found, device } = await openNode(flags, (line) => output.writeErr?.(`${line}\n`));
  try {
    const options = reproduceOptions(flags, device.facts);
    checkHeads(options);
    const host = { context: { ...runtimeContext(found), nonStandard: {} }, adapter: found.adapterName };
    await interruptible('finished seeds are kept', async (signal) => {
      progress.until(signal);
      const onProgress = (text: string, share: number) => progress.show(text, share);
      const result = await reproduce(device, options, host, { signal, onProgress });
      progress.end();
      if (flags.exportJson !== undefined) await exportJson(flags.exportJson, result);
      const charts = flags.charts === undefined ? [] : await writeFigures(flags.charts, result);
      for (const file of charts) output.writeErr?.(`${file}\n`);
      output.writeOut?.(
        flags.output === 'json' ? `${JSON.stringify(result, null, 2)}\n` : reproduceReport(result),
      );
    });
  } finally {
    progress.end();
    device.destroy();
  }
}

/** Throws before a model is trained that could not be converted. */
function checkHeads({ size, kvHeads }: ReproduceOptions): void {
  const { heads } = TRAINING_SIZES[size];
  const bad = kvHeads.find((count) => heads % count > 0);
  if (bad !== undefined)
    throw new ShapeError(`--kv-heads: expected divisors of the ${heads} heads of size ${size}, got ${bad}`);
}
