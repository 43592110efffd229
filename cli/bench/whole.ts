// whole.ts: `gqa bench --whole`: a token through a whole model, with the KV heads that it has and with others, and where its time goes.
import { headsOf, type Variant } from '../../bench/model/variants.ts';
import { readdirSync, statSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { wholeCsv } from '../../bench/report/wholeCsv.ts';
import { wholeReport } from '../../bench/report/wholeReport.ts';
import { spectrum } from '../../bench/run/rows.ts';
import { STANDARD_DEPTHS } from '../../bench/run/standardRun.ts';
import { randomModel } from '../../bench/whole/randomModel.ts';
import { runWhole } from '../../bench/whole/runWhole.ts';
import type { WholeModel, WholeOptions } from '../../bench/whole/wholeOptions.ts';
import { openModel } from '../../src/checkpoint/model/disk/openModel.ts';
import { GqaError, ShapeError } from '../../src/device/errors.ts';
import { shapeFromConfig } from '../../src/models/config.ts';
import { configOf, WHOLE_PRESETS } from '../../src/models/presetConfigs.ts';
import { findPreset, isPreset } from '../../src/models/presets.ts';
import { interruptible } from '../../src/node/command/interrupt.ts';
import { openNode } from '../../src/node/command/openNode.ts';
import { checkOutputOption } from '../../src/node/command/outputOption.ts';
import { Progress } from '../../src/node/command/progress.ts';
import { quietWait } from '../../src/node/quiet.ts';
import { lastLevelCache, runtimeContext } from '../../src/node/runtimeContext.ts';
import { readModelConfig } from '../kv/loadShape.ts';
import { variantsOf } from '../model/variants.ts';
import type { BenchFlags } from './benchFlags.ts';
import { putOut } from './benchOutput.ts';

/** Options of attention alone, by the names of their values. */
const OF_ATTENTION = [
  'model',
  'heads',
  'headDim',
  'capacity',
  'requests',
  'pageSize',
  'window',
  'sharedPrefix',
  'features',
  'cache',
  'kernel',
];

/** `--whole`, which takes the place of the shape. */
export function wholeOption(): Option {
  const what = 'decode a whole model: a folder, or a preset or config.json with random weights';
  return new Option('--whole <model>', what).conflicts(OF_ATTENTION);
}

/** Throws where an option is given that means nothing without `--whole`. */
export function refuseOfWhole(command: Command): void {
  const given = (['method', 'weightType'] as const).find(
    (name) => command.getOptionValueSource(name) === 'cli',
  );
  if (given === undefined) return;
  const name = given === 'method' ? '--method' : '--weight-type';
  throw new GqaError('usage', `${name}: expected --whole beside it: attention alone has no weights`);
}

const REPORTS = { md: wholeReport, csv: wholeCsv };

/** Runs it. Results go where those of `gqa bench` go. */
export async function runWholeBench(command: Command, flags: BenchFlags): Promise<void> {
  const { model, heads, kvHeads } = wholeModel(flags.whole!, flags.seed);
  if (flags.exportJson) await checkOutputOption('--export-json', flags.exportJson);
  const variants = wholeVariants(flags, model, heads, kvHeads);
  const progress = new Progress();
  const { found, device } = await openNode(flags, (line) => progress.line(line));
  try {
    const standard = flags.prompt ? [] : STANDARD_DEPTHS[device.facts.software ? 'software' : 'gpu'];
    const options: WholeOptions = {
      model,
      variants,
      depths: flags.depth ?? standard,
      ...(flags.prompt && { prompts: flags.prompt }),
      batches: flags.batch,
      kType: single('-ctk', flags.cacheTypeK),
      vType: single('-ctv', flags.cacheTypeV ?? flags.cacheTypeK),
      ...(flags.weightType && { weightType: flags.weightType }),
      ...lastLevelCache(found.software),
      seed: flags.seed,
      check: flags.check,
      ...(flags.reps && { reps: flags.reps }),
      ...(flags.maxTime && { maxTimeMs: flags.maxTime * 1000 }),
      quiet: quietWait,
      context: { ...runtimeContext(found), ...(flags.label && { label: flags.label }), nonStandard: {} },
    };
    await interruptible('ending the run, finished rows are kept', (signal) => {
      progress.until(signal);
      return putOut(runWhole(device, { ...options, signal }), REPORTS, { command, flags, progress });
    });
  } finally {
    progress.end();
    device.destroy();
  }
}

function single<T>(option: string, values: readonly T[]): T {
  if (values.length === 1) return values[0]!;
  throw new GqaError('usage', `${option}: expected one type with --whole, got ${values.join(',')}`);
}

interface Named {
  readonly model: WholeModel;
  readonly heads: number;
  readonly kvHeads: number;
}

/** What a preset's name, a path to a config.json or a folder stands for. */
function wholeModel(name: string, seed: number): Named {
  if (isPreset(name)) {
    const preset = findPreset(name).name;
    const config = configOf(preset);
    if (config) return random(preset, config, seed);
    throw new GqaError(
      'unknown-model',
      `--whole: no more than the attention of ${preset} is known: expected a folder, a config.json, or one of ${WHOLE_PRESETS.join(', ')}`,
    );
  }
  const { config, path } = readModelConfig(name);
  if (!isCheckpoint(name)) return random(name, config, seed);
  const { numQHeads: heads, numKvHeads: kvHeads } = shapeFromConfig(config, path);
  const open = (variant: Variant) => openModel(name, headsOf(variant));
  return { model: { name, isRandom: false, open }, heads, kvHeads };
}

/** Whether it is a folder with weights. */
function isCheckpoint(name: string): boolean {
  return statSync(name).isDirectory() && readdirSync(name).some((file) => file.endsWith('.safetensors'));
}

function random(name: string, config: unknown, seed: number): Named {
  const { numQHeads: heads, numKvHeads: kvHeads } = shapeFromConfig(config, name);
  const open = ({ kvHeads: count }: Variant) => Promise.resolve(randomModel(config, count, name, seed));
  return { model: { name, isRandom: true, open }, heads, kvHeads };
}

function wholeVariants(flags: BenchFlags, { isRandom }: WholeModel, heads: number, own: number): Variant[] {
  const kvHeads = flags.kvHeads ?? spectrum(heads, own);
  const bad = kvHeads.find((count) => heads % count !== 0);
  if (bad !== undefined)
    throw new ShapeError(`bench: heads (${heads}) must be a multiple of kv-heads (${bad})`);
  return isRandom
    ? kvHeads.map((count) => ({ kvHeads: count }))
    : variantsOf({ kvHeads, method: flags.method }, own);
}
