// longContext.ts: `npm run bench:long-context`, decodes over a million tokens on WebGPU's guaranteed limits. Exit code 1 for a wrong result.
import { Command, Option } from 'commander';
import { needleOf, runLongContext, type LongContext, type LongStep } from '../bench/studies/longContext.ts';
import { formatBytes } from '../bench/text/format.ts';
import { computeRequest } from '../src/device/request.ts';
import { adapterOptions, openNode, type AdapterOptions } from '../src/node/command/openNode.ts';
import { Progress } from '../src/node/command/progress.ts';
import { EXIT, tokenCount } from '../src/node/command/usage.ts';
import { runScript } from './runScript.ts';

interface Flags extends AdapterOptions {
  readonly tokens: number;
  readonly headDim: string;
}

const SIZES = { heads: 8, pageSize: 256, cacheType: 'int8' } as const;

/** Subgroups, where there are some, and no limit beyond those that every device has. */
function guaranteedLimits(adapter: GPUAdapter): GPUDeviceDescriptor {
  return { requiredFeatures: computeRequest(adapter).requiredFeatures };
}

async function run({ tokens, headDim: dim, ...flags }: Flags): Promise<void> {
  const progress = new Progress();
  const sizes = { ...SIZES, tokens, headDim: Number(dim) };
  const { found, device } = await openNode(flags, (line) => progress.line(line), guaranteedLimits);
  try {
    const step = await runLongContext(device, sizes, (what) => progress.show(what));
    progress.end();
    const { maxStorageBufferBindingSize: binding, maxStorageBuffersPerShaderStage: buffers } =
      device.gpu.limits;
    const software = device.facts.software ? ' · SOFTWARE' : '';
    const limits = `bindings of ${formatBytes(binding)}, ${buffers} storage buffers`;
    const needles = Array.from({ length: SIZES.heads }, (_, head) => needleOf(sizes, head));
    const lines = [`${found.adapterName}${software} · ${limits}`, ...stepLines(sizes, step)];
    process.stdout.write(`${lines.join('\n')}\nneedles  at tokens ${needles.join(', ')}\n`);
    if (!step.verdict.pass) process.exitCode = EXIT.failure;
  } finally {
    progress.end();
    device.destroy();
  }
}

function stepLines({ tokens, heads, headDim, pageSize, cacheType }: LongContext, step: LongStep): string[] {
  const { plan, verdict } = step;
  const error = (value: number) => value.toExponential(1);
  return [
    `cache    ${tokens} tokens, ${heads} query heads on one KV head of ${headDim}, ${cacheType}, ${step.pages} pages of ${pageSize} in ${step.segments === 1 ? 'one binding' : `${step.segments} bindings`} for K, ${formatBytes(step.cacheBytes)}`,
    `fill     ${(step.fillMs / 1000).toFixed(2)} s`,
    `step     ${step.stepsMs.map((ms) => ms.toFixed(1)).join(', ')} ms: ${plan.dispatches.join(', ')}, ${plan.items} items`,
    `check    ${verdict.pass ? 'right' : `WRONG: ${verdict.worst}`}, worst error of o ${error(verdict.maxAbsErr)} (bound ${error(verdict.bound)}), of lse ${error(verdict.lseAbsErr)} (bound ${error(verdict.lseBound)})`,
  ];
}

function command(): Command {
  const program = new Command('npm run bench:long-context --')
    .description(
      "fills an int8 cache of pages with one KV head, decodes over all of it on WebGPU's guaranteed limits and holds every output against float64; exit code 1 when one is wrong",
    )
    .exitOverride()
    .action((flags: Flags) => run(flags));
  const options = [
    new Option('-t, --tokens <n>', 'tokens of the sequence, 1M being 2^20')
      .argParser((text) => tokenCount(text, 1024))
      .default(2 ** 20),
    new Option('--head-dim <n>', 'dims of K and V: those of 128 take more than one binding')
      .choices(['64', '128'])
      .default('64'),
    ...adapterOptions(),
  ];
  for (const option of options) program.addOption(option);
  return program;
}

await runScript(() => command().parseAsync());
