// convert.ts: `gqa convert`, a multi-head checkpoint to a grouped- or multi-query one.
import { Option, type Command } from 'commander';
import { version } from '../../package.json';
import { findAttention, type Attention } from '../checkpoint/attention.ts';
import { Calibration } from '../checkpoint/disk/calibration.ts';
import { finishConversion } from '../checkpoint/disk/finish.ts';
import { checkTarget, convertShards, type ConversionJob, type Share } from '../checkpoint/disk/job.ts';
import { openModelFolder, type ModelFolder } from '../checkpoint/disk/modelFolder.ts';
import { ModelReader } from '../checkpoint/disk/modelReader.ts';
import { partialFolder } from '../checkpoint/disk/partial.ts';
import { HEAD_MAPS, type HeadMap } from '../checkpoint/heads.ts';
import type { MapperSources } from '../checkpoint/mapper.ts';
import {
  GROUPINGS,
  METHODS,
  planConversion,
  type ConversionPlan,
  type Grouping,
  type Method,
} from '../checkpoint/plan.ts';
import { GqaError } from '../device/errors.ts';
import { SHAPE_LIMITS } from '../models/config.ts';
import {
  familyOf,
  folder,
  mapEntry,
  positionsOf,
  rope,
  share,
  type MapEntry,
  type RopeOption,
} from './convertOptions.ts';
import { progressLine } from './convertProgress.ts';
import { dryRunJson, dryRunText, resultText } from './convertText.ts';
import { runReport } from './convertStudy.ts';
import { leaving } from './interrupt.ts';
import { checkOutputOption, outputPath } from './outputOption.ts';
import { Progress } from './progress.ts';
import { wholeNumber, wholeNumbers } from './usage.ts';

export interface ConvertOptions {
  readonly kvHeads: readonly number[];
  readonly out?: string;
  readonly method: Method;
  readonly grouping: Grouping;
  readonly renorm: boolean;
  readonly seed: number;
  readonly calibration?: string;
  readonly headMap: HeadMap;
  readonly map?: readonly MapEntry[];
  readonly rope?: RopeOption;
  readonly dryRun?: true;
  readonly shards?: Share;
  readonly finish?: true;
  readonly hash?: true;
  readonly report?: true;
  readonly layers?: readonly number[];
  readonly plot?: string;
  readonly exportJson?: string;
  readonly output: 'md' | 'json';
}

/** Adds the `convert` command. Results go to the program's `writeOut`, progress and notes to stderr. */
export function registerConvert(program: Command): void {
  const command = program
    .command('convert <model>')
    .description(
      'multi-head checkpoint to grouped- or multi-query (safetensors in, safetensors out); needs no GPU',
    )
    .addHelpText('after', HELP)
    .action((model: string, options: ConvertOptions) => runConvert(command, model, options));
  for (const option of OPTIONS) command.addOption(option);
}

const OPTIONS: readonly Option[] = [
  new Option('--kv-heads <n>', 'KV heads of the result; a list for --report')
    .argParser((text: string) => wholeNumbers(text, 1, SHAPE_LIMITS.heads))
    .makeOptionMandatory(),
  new Option('--out <folder>', 'folder to make; it appears when it is whole').argParser(folder),
  new Option('--method <name>', 'how heads are merged').choices(METHODS).default('mean'),
  new Option('--grouping <name>', 'which heads are merged').choices(GROUPINGS).default('neighbours'),
  new Option('--no-renorm', 'aligned: leave the mean as small as it comes out'),
  new Option('--seed <n>', 'random: seed')
    .argParser((text: string) => wholeNumber(text, 0, 2 ** 32 - 1))
    .default(42),
  new Option('--calibration <file>', 'hidden states of calibration text, for aligned, pca and the report'),
  new Option('--head-map <name>', "the source's: query head h reads KV head floor(h / G), or h mod Hkv")
    .choices(HEAD_MAPS)
    .default('contiguous'),
  new Option('--map <role=name>', 'tensor names of an unknown family; once for each role').argParser(
    mapEntry,
  ),
  new Option('--rope <pairs>', 'how positions rotate a head: half, interleaved, none, half:64').argParser(
    rope,
  ),
  new Option('--dry-run', 'list every tensor with its old and new shape, and write nothing'),
  new Option('--shards <i/n>', 'convert only the shards of worker i (from 0) of n').argParser(share),
  new Option('--finish', 'make the whole of what the workers of --shards converted').conflicts('shards'),
  new Option('--hash', 'put the SHA-256 of whole source files into the metadata too (slower than copying)'),
  new Option('--report', 'how much of each head survives, layer by layer; writes no model without --out'),
  new Option('--layers <list>', 'layers that the report looks at: 0,8-15 (default: all)').argParser(
    (text: string) => wholeNumbers(text, 0, SHAPE_LIMITS.layers),
  ),
  new Option('--plot <file>', 'the report as a picture (SVG)').argParser(outputPath),
  new Option('--export-json <file>', 'the report as JSON').argParser(outputPath),
  new Option('-o, --output <format>', 'format of --dry-run and --report')
    .choices(['md', 'json'])
    .default('md'),
];

const HELP = `
Methods: mean, first and random are those of the GQA paper. aligned turns heads onto each other before the mean; pca
keeps what scores and outputs depend on most. Both are absorbed into the weights: the result is a plain checkpoint.
More KV heads than the source has: each is repeated, which is exact.

Examples:
  gqa convert ./llama-2-7b --kv-heads 8 --out ./llama-2-7b-gqa8 --dry-run
  gqa convert ./llama-2-7b --kv-heads 8 --out ./llama-2-7b-gqa8 --method pca --calibration hidden.safetensors
  gqa convert ./llama-2-7b --kv-heads 16,8,4,2,1 --report
  gqa convert ./model --kv-heads 4 --out ./gqa4 --map q=layers.{layer}.attn.wq.weight --map k=layers.{layer}.attn.wk.weight \\
    --map v=layers.{layer}.attn.wv.weight --map o=layers.{layer}.attn.wo.weight
  gqa convert ./big --kv-heads 8 --out ./big-gqa8 --shards 0/8        (then 1/8 ... 7/8, anywhere, then --finish)`;

async function runConvert(command: Command, path: string, options: ConvertOptions): Promise<void> {
  const output = command.configureOutput();
  const write = (text: string) => output.writeOut?.(`${text}\n`);
  const note = (text: string) => output.writeErr?.(`note     ${text}\n`);
  await checkUsage(options);
  const model = await openModelFolder(path);
  const attention = findAttention(model.tensors, model.config, path, {
    ...(options.map && { family: familyOf(options.map) }),
    ...(options.rope && { positions: (headDim) => positionsOf(options.rope!, headDim) }),
  });
  const plans = options.kvHeads.map((kvHeads) => planFor(model, attention, kvHeads, options));
  const plan = plans[0]!;
  if (options.dryRun) {
    write(options.output === 'json' ? dryRunJson(model, plan) : dryRunText(model, plan));
    return;
  }
  for (const text of plan.notes) note(text);
  await withSources(model, attention, options, async (sources, calibration) => {
    if (options.report)
      await runReport({ model, plans, sources, calibrated: calibration !== undefined }, options, {
        write,
        note,
      });
    if (options.out === undefined) return;
    if (model.leftOut.length > 0) note(`weights in other forms are not copied: ${model.leftOut.join(', ')}`);
    const origin = { tool: `gqa-webgpu ${version}`, source: model.name, calibration: calibration?.sha256 };
    const progress = new Progress();
    try {
      const onProgress = progressLine(progress);
      const hashFiles = options.hash === true;
      const job = { model, plan, sources, origin, out: options.out, hashFiles, onProgress };
      const said = await leaving(LEFT, () => convert(job, options));
      progress.end();
      write(said);
    } finally {
      progress.end();
    }
  });
}

/** Refuses options that contradict each other, before any file is read. */
async function checkUsage({
  kvHeads,
  out,
  dryRun,
  shards,
  finish,
  report,
  layers,
  plot,
  exportJson: json,
}: ConvertOptions): Promise<void> {
  const refuse = (message: string): never => {
    throw new GqaError('usage', message);
  };
  if (out === undefined && !dryRun && !report)
    refuse('expected --out FOLDER, --dry-run or --report, got none of them');
  if (kvHeads.length > 1 && (out !== undefined || !report)) {
    refuse(`expected one number of KV heads, or --report without --out, got ${kvHeads.join(', ')}`);
  }
  if ((shards ?? finish) !== undefined && out === undefined)
    refuse('--shards and --finish make parts of a result: expected --out too');
  if ((plot ?? json ?? layers) !== undefined && !report)
    refuse('--plot, --export-json and --layers are of the report: expected --report too');
  if (plot !== undefined) await checkOutputOption('--plot', plot);
  if (json !== undefined) await checkOutputOption('--export-json', json);
}

function planFor(
  model: ModelFolder,
  attention: Attention,
  kvHeads: number,
  { method, grouping, renorm, seed, headMap }: ConvertOptions,
): ConversionPlan {
  const options = { kvHeads, method, grouping, renorm, seed, headMap };
  return planConversion(attention, model.tensors, options, model.path);
}

/** Opens the weights and the calibration file for `use`, and closes them. */
async function withSources(
  model: ModelFolder,
  attention: Attention,
  { calibration: path }: ConvertOptions,
  use: (sources: MapperSources, calibration: Calibration | undefined) => Promise<void>,
): Promise<void> {
  const reader = new ModelReader(model);
  try {
    const calibration = path === undefined ? undefined : await Calibration.open(path, attention);
    try {
      const sources: MapperSources = {
        read: (name) => reader.read(name),
        readFloats: (name) => reader.readFloats(name),
        inputsOf: async (module) => calibration?.inputsOf(module),
      };
      await use(sources, calibration);
    } finally {
      await calibration?.close();
    }
  } finally {
    await reader.close();
  }
}

const LEFT = 'the conversion stops; the same command again goes on after the last whole shard';

async function convert(job: ConversionJob, options: ConvertOptions): Promise<string> {
  if (await checkTarget(job)) return `${job.out} is whole already, of this very conversion`;
  if (options.finish) {
    await finishConversion(job);
    return resultText(job);
  }
  const { converted, skipped } = await convertShards(job, options.shards ?? { index: 0, of: 1 });
  if (options.shards) {
    const { index, of } = options.shards;
    return `worker ${index}/${of}: ${converted} shards converted, ${skipped} were done before, in ${partialFolder(job.out)}`;
  }
  await finishConversion(job);
  return resultText(job);
}
