// prefill.ts: `npm run bench:prefill`, the rate of the prefill kernel beside that of a plain matrix product. Exit code 1 for a wrong result.
import { Command, Option } from 'commander';
import { runPrefill, type PrefillRate, type PrefillStudy } from '../bench/studies/prefill.ts';
import { median } from '../bench/schema/stats.ts';
import { adapterOptions, openNode, type AdapterOptions } from '../src/node/command/openNode.ts';
import { Progress } from '../src/node/command/progress.ts';
import { EXIT, tokenCount } from '../src/node/command/usage.ts';
import { runScript } from './runScript.ts';

interface Flags extends AdapterOptions {
  readonly tokens?: number;
}

const SHAPE = { numQHeads: 32, numKvHeads: 8, headDim: 128 } as const;

/** What takes some seconds on two cores, and enough to fill a GPU. */
const SIZES = {
  software: { tokens: 512, matmul: 1024, samples: 7 },
  gpu: { tokens: 2048, matmul: 4096, samples: 21 },
} as const;

/** f32 sums of so many random products stay far below this part of the largest. */
const MATMUL_ERROR = 1e-5;

async function run({ tokens, ...flags }: Flags): Promise<void> {
  const progress = new Progress();
  const { found, device } = await openNode(flags, (line) => progress.line(line));
  try {
    const { software } = device.facts;
    const defaults = SIZES[software ? 'software' : 'gpu'];
    const sizes = { ...SHAPE, ...defaults, ...(tokens !== undefined && { tokens }) };
    const study = await runPrefill(device, sizes, (what) => progress.show(what));
    progress.end();
    const right = study.verdicts.every(({ pass }) => pass) && study.matmulError <= MATMUL_ERROR;
    const lines = [`${found.adapterName}${software ? ' · SOFTWARE' : ''}`, ...studyLines(study, right)];
    process.stdout.write(`${lines.join('\n')}\n`);
    if (!right) process.exitCode = EXIT.failure;
  } finally {
    progress.end();
    device.destroy();
  }
}

function studyLines(
  { prefill, matmul, dispatches, verdicts, matmulError }: PrefillStudy,
  right: boolean,
): string[] {
  const errors = verdicts.map(({ maxAbsErr }) => maxAbsErr.toExponential(1));
  return [
    `${rateLine(prefill)}, ${dispatches.join(', ')}`,
    rateLine(matmul),
    `share    ${((100 * prefill.gflops) / matmul.gflops).toFixed(0)} %`,
    `check    ${right ? 'right' : 'WRONG'}: errors of rows ${errors.join(', ')}; of the product ${matmulError.toExponential(1)}`,
  ];
}

function rateLine({ name, samplesMs, gflops }: PrefillRate): string {
  const [least, most] = [Math.min(...samplesMs), Math.max(...samplesMs)].map((ms) => ms.toFixed(1));
  return `${gflops.toFixed(1)} GFLOP/s  ${name}: ${median(samplesMs).toFixed(1)} ms (${least} to ${most})`;
}

function command(): Command {
  const program = new Command('npm run bench:prefill --')
    .description(
      'times causal prefill at 32/8/128 and the best of some plain matrix products, in turn; exit code 1 when a result is wrong',
    )
    .exitOverride()
    .action((flags: Flags) => run(flags));
  const options = [
    new Option(
      '-t, --tokens <n>',
      'tokens of the prompt (default: 512 on a software adapter, else 2048)',
    ).argParser((text) => tokenCount(text, 16)),
    ...adapterOptions(),
  ];
  for (const option of options) program.addOption(option);
  return program;
}

await runScript(() => command().parseAsync());
