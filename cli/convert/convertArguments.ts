// convertArguments.ts: the options of `gqa convert` and its help.
import { Option } from 'commander';
import type { Share } from '../../src/checkpoint/convert/disk/job.ts';
import type { MapEntry } from '../../src/checkpoint/find/tensorMap.ts';
import { HEAD_MAPS, type HeadMap } from '../../src/checkpoint/heads/heads.ts';
import { GROUPINGS, METHODS, type Grouping, type Method } from '../../src/checkpoint/convert/plan.ts';
import { SHAPE_LIMITS } from '../../src/models/limits.ts';
import { taking } from '../../src/node/command/completionValues.ts';
import { folder, mapEntry, rope, share, type RopeOption } from './convertOptions.ts';
import { outputPath } from '../../src/node/command/outputOption.ts';
import { formatOption, seedOption } from '../../src/node/command/options.ts';
import { wholeNumbers } from '../../src/node/command/usage.ts';

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
  readonly reportLayers?: readonly number[];
  readonly plot?: string;
  readonly exportJson?: string;
  readonly output: 'md' | 'json';
}

export const OPTIONS: readonly Option[] = [
  new Option('--kv-heads <n>', 'KV heads of the result; a list for --report')
    .argParser((text: string) => wholeNumbers(text, 1, SHAPE_LIMITS.heads))
    .makeOptionMandatory(),
  new Option(
    '--out <folder>',
    'folder to make, with those above it, or an empty one; it appears when it is whole',
  ).argParser(folder),
  new Option('--method <name>', 'how heads are merged').choices(METHODS).default('mean'),
  new Option('--grouping <name>', 'which heads are merged').choices(GROUPINGS).default('neighbours'),
  new Option('--no-renorm', 'aligned: leave the mean as small as it comes out'),
  seedOption('of --method random'),
  new Option('--calibration <file>', 'hidden states of calibration text, for aligned, pca and the report'),
  new Option('--head-map <name>', "the source's: query head h reads KV head floor(h / G), or h mod Hkv")
    .choices(HEAD_MAPS)
    .default('contiguous'),
  taking(
    new Option('--map <role=name>', 'tensor names of an unknown family; once for each role').argParser(
      mapEntry,
    ),
    { repeats: true },
  ),
  taking(
    new Option('--rope <pairs>', 'how positions rotate a head: half, interleaved, none, half:64').argParser(
      rope,
    ),
    { words: ['half', 'interleaved', 'none'] },
  ),
  new Option('--dry-run', 'list every tensor with its old and new shape, and write nothing'),
  new Option('--shards <i/n>', 'convert only the shards of worker i (from 0) of n').argParser(share),
  new Option('--finish', 'make the whole of what the workers of --shards converted').conflicts('shards'),
  new Option(
    '--hash',
    'keep the SHA-256 of whole source files, and compare it when a run goes on (slower than copying)',
  ),
  new Option('--report', 'how much of each head survives, layer by layer; writes no model without --out'),
  new Option('--report-layers <list>', 'layers that the report looks at: 0,8-15 (default: all)').argParser(
    (text: string) => wholeNumbers(text, 0, SHAPE_LIMITS.layers),
  ),
  new Option('--plot <file>', 'the report as a picture (SVG)').argParser(outputPath),
  new Option('--export-json <file>', 'the report as JSON').argParser(outputPath),
  formatOption(['md', 'json'], 'format of --dry-run and --report'),
];

export const HELP = `
Methods: mean, first and random are those of the GQA paper. aligned turns heads onto each other before the mean; pca
keeps what scores and outputs depend on most. Both are absorbed into the weights: the result is a plain checkpoint.
More KV heads than the source has: each is repeated, which is exact.

The result is of one source: a run that was stopped goes on only while the source's files are what they were. Refused:
quantised weights, weights that are not finite where they would be averaged, a fused projection of an unknown model type.

Examples:
  gqa convert ./llama-2-7b --kv-heads 8 --out ./llama-2-7b-gqa8 --dry-run
  gqa convert ./llama-2-7b --kv-heads 8 --out ./llama-2-7b-gqa8 --method pca --calibration hidden.safetensors
  gqa convert ./llama-2-7b --kv-heads 16,8,4,2,1 --report
  gqa convert ./model --kv-heads 4 --out ./gqa4 --map 'q=layers.{layer}.attn.wq.weight' --map 'k=layers.{layer}.attn.wk.weight' \\
    --map 'v=layers.{layer}.attn.wv.weight' --map 'o=layers.{layer}.attn.wo.weight'
  gqa convert ./big --kv-heads 8 --out ./big-gqa8 --shards 0/8        (then 1/8 ... 7/8, anywhere, then --finish)`;
