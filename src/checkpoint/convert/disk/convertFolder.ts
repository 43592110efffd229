// convertFolder.ts: a model folder converted as a whole, for programs and for the command.
import {
  checkBoolean,
  checkFunction,
  checkList,
  checkOneOf,
  checkOptions,
  checkString,
  checkWhole,
  describe,
  type Known,
} from '../../../device/options.ts';
import { ShapeError } from '../../../device/errors.ts';
import { inFolder } from '../../../files/folders.ts';
import type { Positions } from '../../../models/families/family.ts';
import { SHAPE_LIMITS } from '../../../models/limits.ts';
import { findAttention } from '../../find/findAttention.ts';
import { hasOneLayer, MAP_ROLES, mapFault, mapFormat, type MapEntry } from '../../find/tensorMap.ts';
import { HEAD_MAPS, type HeadMap } from '../../heads/heads.ts';
import { GROUPINGS, METHODS, planConversion, type Grouping, type Method } from '../plan.ts';
import { finishConversion } from './finish.ts';
import { checkPlan, convertShards, type ConversionJob, type Progress, type Share } from './job.ts';
import { withLock } from './lock.ts';
import { openModelFolder } from './modelFolder.ts';
import { parentOf } from './partial.ts';
import { withSources } from './sources.ts';
import { checkPlace, checkTarget, targetFolder } from './target.ts';

/** What to convert, and how. */
export interface ConvertOptions {
  /** Folder of the source: config.json and one or several safetensors files. */
  readonly model: string;
  /** Folder to make, with those above it, or an empty one; it appears when it is whole. */
  readonly out: string;
  /** KV heads of the result. */
  readonly kvHeads: number;
  /** How heads are merged: the first three are those of the GQA paper. Default `mean`. */
  readonly method?: Method;
  /** Which heads are merged. Default `neighbours`. */
  readonly grouping?: Grouping;
  /** Of the source: query head h reads KV head floor(h / G), or h mod Hkv (`tiled`). Default `contiguous`. */
  readonly headMap?: HeadMap;
  /** Of `aligned`: rescale the mean to the size of its members. Default true. */
  readonly renorm?: boolean;
  /** Of `random`, 0 to 2^32 - 1. Default 42. */
  readonly seed?: number;
  /** A safetensors file of hidden states, for `aligned` and `pca`. Default: none, and they go by the weights alone. */
  readonly calibration?: string;
  /**
   * Tensor names of a family that is not known: q, k, v and o, or qkv and o, or grouped and o. Default: they are found by the
   * model type and the names that families use.
   */
  readonly map?: readonly MapEntry[];
  /** How positions rotate q and k. Default: what the model type says. */
  readonly positions?: Positions;
  /**
   * Convert only the shards of one of several workers, which may be other processes or machines that see the same folder.
   * Nothing is at `out` until a call with `finish`. Default: all shards, and the whole is made.
   */
  readonly shards?: Share;
  /** Make the whole of what the workers of `shards` converted; not together with it. Default false. */
  readonly finish?: boolean;
  /** Keep the SHA-256 of whole source files, and compare it when a run goes on. Default false. */
  readonly hashFiles?: boolean;
  /** What the result says made it; a run that was stopped goes on under the same name only. Default `gqa-webgpu`. */
  readonly tool?: string;
  /** Called after each stretch of bytes. Default: nobody is told. */
  readonly onProgress?: (progress: Progress) => void;
}

const CONVERT_OPTIONS = {
  model: true,
  out: true,
  kvHeads: true,
  method: true,
  grouping: true,
  headMap: true,
  map: true,
  shards: true,
  finish: true,
  renorm: true,
  seed: true,
  calibration: true,
  positions: true,
  hashFiles: true,
  tool: true,
  onProgress: true,
} satisfies Known<ConvertOptions>;

/** What became of a conversion. */
export interface Conversion {
  /** The folder that was made: `out`, or where a link of that name leads. */
  readonly out: string;
  /** True where its whole result was there already, and nothing was written. */
  readonly wasThere: boolean;
  /** False after a call with `shards`: the folder is yet to be made. */
  readonly isWhole: boolean;
  /** Tensors of the result that are not the source's, byte for byte. */
  readonly rewritten: readonly string[];
  /** What to know of how the options were applied. */
  readonly notes: readonly string[];
}

type Checked = ConvertOptions &
  Required<Pick<ConvertOptions, 'method' | 'grouping' | 'headMap' | 'renorm' | 'seed'>>;

/**
 * Converts a multi-head checkpoint to GQA or MQA, as `gqa convert` does: safetensors in, safetensors out. A run that was
 * stopped goes on after its last whole shard when it is called again. Throws ShapeError for options and models that do not
 * go together, CheckpointError for files that cannot be read or written.
 */
export async function convertFolder(options: ConvertOptions): Promise<Conversion> {
  const checked = checkConvert(options);
  const { model: path, positions, kvHeads, method, grouping, headMap, renorm, seed } = checked;
  const model = await openModelFolder(path);
  const attention = findAttention(model.tensors, model.config, path, {
    ...(checked.map && { format: mapFormat(checked.map) }),
    ...(positions !== undefined && { positions: (headDim) => checkPositions(positions, headDim) }),
  });
  const choices = { kvHeads, method, grouping, headMap, renorm, seed };
  const plan = planConversion(attention, model.tensors, choices, path);
  checkPlan({ model, plan });
  const out = await targetFolder(checked.out);
  await checkPlace(model.path, out);
  const { tool = 'gqa-webgpu', hashFiles = false, onProgress = () => {} } = checked;
  const { shards, finish = false } = checked;
  const isNew = await withSources(model, attention, checked.calibration, (sources, calibration) => {
    const origin = { tool, source: model.name, calibration: calibration?.sha256 };
    const job = { model, plan, sources, origin, out, hashFiles, onProgress };
    return inFolder(parentOf(out), () =>
      shards ? convertShare(job, shards) : makeWhole(job, { converts: !finish }),
    );
  });
  const rewritten = [...plan.tensors.values()].flatMap(({ tensor, rewrite }) =>
    rewrite ? [tensor.name] : [],
  );
  return { out, wasThere: !isNew, isWhole: !isNew || !shards, rewritten, notes: plan.notes };
}

/** Converts a worker's shards; false where the whole result is there already. */
async function convertShare(job: ConversionJob, shards: Share): Promise<boolean> {
  if (await checkTarget(job)) return false;
  await convertShards(job, shards);
  return true;
}

/**
 * Makes the folder of a job while no other run does; false where it is there already, whole, of this very conversion.
 * `converts`: false where other workers have converted the shards.
 */
export async function makeWhole(job: ConversionJob, { converts = true } = {}): Promise<boolean> {
  if (await checkTarget(job)) return false;
  return withLock(job.out, async () => {
    // It may have been finished by the run that had the lock before.
    if (await checkTarget(job)) return false;
    if (converts) await convertShards(job, { index: 0, of: 1 });
    await finishConversion(job);
    return true;
  });
}

function checkConvert(options: ConvertOptions): Checked {
  checkOptions('convertFolder', options, CONVERT_OPTIONS);
  const defaults = {
    method: 'mean',
    grouping: 'neighbours',
    headMap: 'contiguous',
    renorm: true,
    seed: 42,
  } as const;
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const checked: Checked = { ...defaults, ...(Object.fromEntries(given) as unknown as ConvertOptions) };
  checkString('convertFolder: model', checked.model);
  checkString('convertFolder: out', checked.out);
  checkWhole('convertFolder: kvHeads', checked.kvHeads, 1, SHAPE_LIMITS.heads);
  checkOneOf('convertFolder: method', checked.method, METHODS);
  checkOneOf('convertFolder: grouping', checked.grouping, GROUPINGS);
  checkOneOf('convertFolder: headMap', checked.headMap, HEAD_MAPS);
  checkBoolean('convertFolder: renorm', checked.renorm);
  checkWhole('convertFolder: seed', checked.seed, 0, 2 ** 32 - 1);
  if (checked.calibration !== undefined) checkString('convertFolder: calibration', checked.calibration);
  if (checked.hashFiles !== undefined) checkBoolean('convertFolder: hashFiles', checked.hashFiles);
  if (checked.tool !== undefined) checkString('convertFolder: tool', checked.tool);
  if (checked.finish !== undefined) checkBoolean('convertFolder: finish', checked.finish);
  if (checked.map !== undefined) checkMap(checked.map);
  if (checked.shards !== undefined) checkShare(checked.shards);
  if (checked.shards && checked.finish) {
    throw new ShapeError('convertFolder: expected shards or finish, got both');
  }
  if (checked.onProgress !== undefined) checkFunction('convertFolder: onProgress', checked.onProgress);
  return checked;
}

function checkMap(map: readonly MapEntry[]): void {
  checkList('convertFolder: map', map);
  map.forEach((entry, i) => {
    const where = `convertFolder: map[${i}]`;
    checkOptions(where, entry, { role: true, name: true, transposed: true });
    checkOneOf(`${where}: role`, entry.role, MAP_ROLES);
    checkString(`${where}: name`, entry.name);
    if (!hasOneLayer(entry.name)) {
      throw new ShapeError(`${where}: name: expected one {layer} in it, got ${describe(entry.name)}`);
    }
    if (entry.transposed !== undefined) checkBoolean(`${where}: transposed`, entry.transposed);
  });
  const fault = mapFault(map);
  if (fault !== undefined) throw new ShapeError(`convertFolder: map: ${fault}`);
}

/** More workers than any machine room has. */
const MAX_WORKERS = 1e6;

function checkShare(shards: Share): void {
  checkOptions('convertFolder: shards', shards, { index: true, of: true });
  checkWhole('convertFolder: shards.of', shards.of, 1, MAX_WORKERS);
  checkWhole('convertFolder: shards.index', shards.index, 0, shards.of - 1);
}

const PAIRINGS: readonly Positions['pairing'][] = ['half', 'interleaved', 'none'];

function checkPositions(positions: Positions, headDim: number): Positions {
  checkOptions('convertFolder: positions', positions, { pairing: true, rotaryDims: true });
  checkOneOf('convertFolder: positions.pairing', positions.pairing, PAIRINGS);
  checkWhole('convertFolder: positions.rotaryDims', positions.rotaryDims, 0, headDim);
  return positions;
}
