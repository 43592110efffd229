// kv.ts: `gqa kv`, the size of a model's KV cache and the least time a decode step takes to read it. Needs no GPU.
import { InvalidArgumentError, Option, type Command, Argument } from 'commander';
import { RANGES_HELP } from '../../bench/report/kvRanges.ts';
import { GqaError, ShapeError } from '../../src/device/errors.ts';
import type { KvType } from '../../src/numbers/elements.ts';
import type { ConfigShape } from '../../src/models/config.ts';
import { SHAPE_LIMITS } from '../../src/models/limits.ts';
import { PRESETS } from '../../src/models/presets.ts';
import { kvReport, type KvReportRequest } from '../../bench/kv/kvReport.ts';
import { presetTable, reportText } from './kvText.ts';
import { loadShape } from './loadShape.ts';
import {
  cacheTypeOptions,
  depthOption,
  formatOption,
  type CacheTypes,
  MODEL_VALUES,
} from '../../src/node/command/options.ts';
import { EXIT, tokenCounts, wholeNumber } from '../../src/node/command/usage.ts';
import { taking } from '../../src/node/command/completionValues.ts';

interface KvOptions extends CacheTypes<KvType> {
  readonly depth: readonly number[];
  readonly maxModelLen?: readonly number[];
  readonly batch: number;
  readonly batchSize?: number;
  readonly layers?: number;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly headDim?: number;
  readonly gbps?: number;
  readonly memory: number;
  readonly list?: true;
  readonly output: 'md' | 'json';
  readonly jsonOutput?: true;
}

/** Adds the `kv` command to the program. Results go to the program's `writeOut`; errors end it with exit code 1. */
export function registerKv(program: Command): void {
  const kv = program
    .command('kv')
    .addArgument(taking(new Argument('[model]'), MODEL_VALUES))
    .description(
      'size of a KV cache and least time to read it; model: preset, config.json, folder with one, or GGUF file',
    )
    .addHelpText('after', EXAMPLES)
    .action((model: string | undefined, options: KvOptions) => runKv(kv, model, options));
  for (const option of OPTIONS) kv.addOption(option);
}

const OPTIONS: readonly Option[] = [
  depthOption('', Number.MAX_SAFE_INTEGER).default([8192], '8192'),
  new Option('--max-model-len <list>', 'the same as --depth').argParser(lengths).conflicts('depth'),
  new Option('-b, --batch <n>', 'sequences').argParser(count()).default(1),
  new Option('--batch-size <n>', 'the same as --batch').argParser(count()).conflicts('batch'),
  new Option('--layers <n>', 'instead of a model: layers').argParser(count(SHAPE_LIMITS.layers)),
  new Option('--heads <n>', 'instead of a model: query heads').argParser(count(SHAPE_LIMITS.heads)),
  new Option('--kv-heads <n>', 'instead of a model: KV heads').argParser(count(SHAPE_LIMITS.heads)),
  new Option('--head-dim <n>', 'instead of a model: head dim').argParser(count(SHAPE_LIMITS.headDim)),
  ...cacheTypeOptions(),
  new Option('--gbps <n>', 'memory bandwidth, 10^9 bytes/s: adds the read floor').argParser(positiveNumber),
  new Option('--memory <n>', 'GiB to fill with sequences').argParser(positiveNumber).default(16),
  new Option('--list', 'list every preset with its cache at each depth'),
  formatOption(),
  new Option('--json-output', 'the same as -o json'),
];

const EXAMPLES = `
${RANGES_HELP}

Examples:
  gqa kv llama-3.1-8b -d 8192 --gbps 380
  gqa kv ./config.json --max-model-len 128k --batch-size 4 --json-output
  gqa kv --layers 32 --heads 32 --kv-heads 8 --head-dim 128 -d '1024-65536*4'
  gqa kv smollm2-135m.gguf -d 2048
  gqa kv --list`;

async function runKv(command: Command, model: string | undefined, options: KvOptions): Promise<void> {
  const json = options.jsonOutput === true || options.output === 'json';
  const write = (text: string) => command.configureOutput().writeOut?.(`${text}\n`);
  const print = (value: unknown, text: () => string) => write(json ? JSON.stringify(value, null, 2) : text());
  try {
    if (options.list) {
      print(PRESETS, () => presetTable(requestOf(options)));
    } else {
      const report = kvReport(await chooseShape(model, options), requestOf(options));
      print(report, () => reportText(report));
    }
  } catch (error) {
    if (!(error instanceof GqaError)) throw error;
    command.error(`error: ${error.message}`, { exitCode: EXIT.failure });
  }
}

async function chooseShape(model: string | undefined, options: KvOptions): Promise<ConfigShape> {
  const byHand = [options.layers, options.heads, options.kvHeads, options.headDim].some(
    (n) => n !== undefined,
  );
  if (model === undefined && !byHand) {
    throw new ShapeError(
      'expected a model (gqa kv --list) or --layers --heads --kv-heads --head-dim, got neither',
    );
  }
  if (model === undefined) return shapeByHand(options);
  if (byHand)
    throw new ShapeError(`expected a model or a shape by hand, got both: "${model}" and options of a shape`);
  return loadShape(model);
}

function shapeByHand({ layers, heads, kvHeads, headDim }: KvOptions): ConfigShape {
  if (layers === undefined || heads === undefined || kvHeads === undefined || headDim === undefined) {
    const given = { '--layers': layers, '--heads': heads, '--kv-heads': kvHeads, '--head-dim': headDim };
    const missing = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [name] : []));
    throw new ShapeError(`a shape by hand also needs ${missing.join(' ')}`);
  }
  if (heads % kvHeads !== 0) {
    throw new ShapeError(`--heads (${heads}) must be a multiple of --kv-heads (${kvHeads})`);
  }
  return {
    name: `h${heads}_kv${kvHeads}_d${headDim}`,
    layers,
    hiddenSize: heads * headDim,
    numQHeads: heads,
    numKvHeads: kvHeads,
    headDim,
    kvLayers: [{ kind: 'global', count: layers, numKvHeads: kvHeads, headDim }],
    source: 'command line',
    notes: [`head_dim ${headDim} from --head-dim`],
  };
}

function requestOf(options: KvOptions): KvReportRequest {
  return {
    depths: options.maxModelLen ?? options.depth,
    batch: options.batchSize ?? options.batch,
    typeK: options.cacheTypeK,
    typeV: options.cacheTypeV ?? options.cacheTypeK,
    memoryGiB: options.memory,
    ...(options.gbps !== undefined && { gbps: options.gbps }),
  };
}

function count(max?: number): (text: string) => number {
  return (text) => wholeNumber(text, 1, max);
}

// Commander also hands a parser the value so far, which must not reach the limits of tokenCounts.
function lengths(text: string): number[] {
  return tokenCounts(text);
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!/^\d*\.?\d+$/.test(text.trim()) || !Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError(`expected a number above 0, got "${text}".`);
  }
  return value;
}
