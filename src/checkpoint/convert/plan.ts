// plan.ts: what a conversion does to every tensor, from config and headers alone.
import { ShapeError } from '../../device/errors.ts';
import type { Attention } from '../find/findAttention.ts';
import type { AttentionModule, Part } from '../heads/attentionModule.ts';
import { elementBytes, floatDtype } from '../format/dtypes.ts';
import { fail, quote } from '../format/checkpointError.ts';
import { targetShape } from '../heads/headMix.ts';
import { checkKvHeads, keepsQueries, regroup, type HeadMap, type Regrouping } from '../heads/heads.ts';
import { slotsOf, type Role } from '../../models/families/headSlots.ts';
import { specByteLength, type TensorSpec } from '../format/safetensors.ts';

export type Method = 'mean' | 'first' | 'random' | 'aligned' | 'pca';
export const METHODS: readonly Method[] = ['mean', 'first', 'random', 'aligned', 'pca'];

export type Grouping = 'neighbours' | 'similar';
export const GROUPINGS: readonly Grouping[] = ['neighbours', 'similar'];

/** What is asked of a conversion. */
export interface ConversionOptions {
  /** KV heads of the result. */
  readonly kvHeads: number;
  /** How heads are merged: the first three are those of the GQA paper. */
  readonly method: Method;
  /** Which heads are merged. */
  readonly grouping: Grouping;
  /** How the source's query heads find their KV heads. */
  readonly headMap: HeadMap;
  /** Of `aligned`: rescale the mean to the size of its members. */
  readonly renorm: boolean;
  /** Of `random`. */
  readonly seed: number;
}

/** A tensor of the result. Without a part it is the source's, byte for byte. */
export interface TensorPlan {
  readonly tensor: TensorSpec;
  readonly to: readonly number[];
  /** Bytes of the result. */
  readonly bytes: number;
  readonly rewrite: { readonly module: AttentionModule; readonly part: Part } | undefined;
}

export interface ConversionPlan {
  readonly options: ConversionOptions;
  readonly attention: Attention;
  /** By tensor name. */
  readonly tensors: ReadonlyMap<string, TensorPlan>;
  /** True when the result is made by turning heads, which needs all weights of a layer together. */
  readonly turnsHeads: boolean;
  /** What a user should know of how the options were applied. */
  readonly notes: readonly string[];
}

/** True when the method looks at the weights to choose how heads are turned. */
export function looksAtWeights({
  method,
  grouping,
}: Pick<ConversionOptions, 'method' | 'grouping'>): boolean {
  return method === 'aligned' || method === 'pca' || grouping === 'similar';
}

/** Plans a conversion. Options that the model cannot follow are a ShapeError or CheckpointError. */
export function planConversion(
  attention: Attention,
  tensors: ReadonlyMap<string, TensorSpec>,
  options: ConversionOptions,
  where: string,
): ConversionPlan {
  checkKvHeads(attention, options.kvHeads);
  const reduces = options.kvHeads < attention.numKvHeads;
  const turnsHeads = reduces && (options.method === 'aligned' || options.method === 'pca');
  if (turnsHeads) {
    checkPositions(attention, options, where);
    checkNorms(attention, tensors, options, where);
  }
  const regrouping = regroup(attention, options.kvHeads, options.headMap);
  const touched = touchedRoles(regrouping, { reduces, turnsHeads, options });
  const parts = new Map(
    attention.modules.flatMap((module) =>
      module.parts.flatMap((part) =>
        slotsOf(part.order, attention).some(({ role }) => touched.has(role)) &&
        isTouched(part, touched, options)
          ? [[part.tensor.name, { module, part }] as const]
          : [],
      ),
    ),
  );
  for (const { part } of parts.values()) checkDtype(part, { reduces, turnsHeads, options }, where);
  const planned = [...tensors.values()].map((tensor) => {
    const rewrite = parts.get(tensor.name);
    const to = rewrite ? targetShape(rewrite.part, regrouping) : tensor.shape;
    const bytes = specByteLength({ ...tensor, shape: to })!;
    return [tensor.name, { tensor, to, bytes, rewrite }] as const;
  });
  return {
    options,
    attention,
    tensors: new Map(planned),
    turnsHeads,
    notes: notesOf(attention, options, { reduces, turnsHeads }),
  };
}

interface Change {
  readonly reduces: boolean;
  readonly turnsHeads: boolean;
  readonly options: ConversionOptions;
}

function touchedRoles(regrouping: Regrouping, { reduces, turnsHeads, options }: Change): Set<Role> {
  const roles = new Set<Role>();
  if (regrouping.source.numKvHeads !== regrouping.target.numKvHeads) roles.add('k').add('v');
  const reorders = !keepsQueries(regrouping) || (reduces && options.grouping === 'similar');
  if (turnsHeads || reorders) roles.add('q').add('o');
  return roles;
}

/** A table of numbers for query heads changes only with their order. */
function isTouched(part: Part, touched: ReadonlySet<Role>, { headMap }: ConversionOptions): boolean {
  return part.kind !== 'table' || part.order !== 'q' || (touched.has('q') && headMap === 'tiled');
}

function checkPositions(
  { positions, config }: Attention,
  { method }: ConversionOptions,
  where: string,
): void {
  if (positions) {
    if (positions.rotaryDims % 2 === 0) return;
    throw new ShapeError(`${where}: rotary dims (${positions.rotaryDims}) must be even`);
  }
  throw new ShapeError(
    `${where}: --method ${method} turns keys, and must know how positions rotate them, which model_type ${quote(String(config['model_type']))} does not say; give --rope half, interleaved or none`,
  );
}

/** Names given by --map say nothing of norms between projection and scores, which do not commute with turning heads. */
function checkNorms(
  { modules }: Attention,
  tensors: ReadonlyMap<string, TensorSpec>,
  { method }: ConversionOptions,
  where: string,
): void {
  const known = new Set(modules.flatMap(({ norms }) => (norms ? [norms.q, norms.k] : [])));
  const norm = [...tensors.keys()].find(
    (name) =>
      /norm|ln/i.test(name.split('.').at(-2) ?? '') &&
      !known.has(name) &&
      modules.some((module) => name.startsWith(`${module.name}.`)),
  );
  if (norm === undefined) return;
  fail(
    `${where}: tensor ${quote(norm)} normalises queries or keys in a way that is not known, which --method ${method} would have to heed; use --method mean`,
  );
}

function checkDtype(part: Part, { reduces, turnsHeads, options }: Change, where: string): void {
  const computes = turnsHeads || (reduces && (options.method !== 'first' || options.grouping === 'similar'));
  const check = computes ? floatDtype : elementBytes;
  check(part.tensor.dtype, `${where}: tensor ${quote(part.tensor.name)}`);
}

function notesOf(
  attention: Attention,
  options: ConversionOptions,
  change: Omit<Change, 'options'>,
): string[] {
  const { format, modules } = attention;
  const notes: string[] = [];
  const normed = format.plainQkNorm || modules.some(({ norms }) => norms !== undefined);
  if (options.kvHeads > attention.numKvHeads) {
    notes.push('every KV head is repeated, which is exact: --method and --grouping are not used');
  }
  if (change.turnsHeads && normed) {
    notes.push(
      options.method === 'pca'
        ? 'keys are normalised per head (QK-norm), so they are aligned and averaged; values get the principal components'
        : 'keys are normalised per head (QK-norm): they are turned where the norm allows it and never rescaled',
    );
  }
  if (change.reduces && options.grouping === 'similar' && hasSharedTable(attention)) {
    notes.push(
      'decoder self-attention shares one table of position biases, so its heads stay with their neighbours',
    );
  }
  const heads = { numQHeads: attention.numQHeads, numKvHeads: options.kvHeads };
  if (!format.loads(heads, attention.config)) {
    notes.push(
      `${format.name} has no field for KV heads in its own code: only an engine that reads "${format.kvHeadsField}" can load the result`,
    );
  }
  if (attention.others.length > 0) notes.push(othersNote(attention.others));
  if (change.reduces) notes.push('quality is lost until the result is trained further (uptraining)');
  return notes;
}

/** Names of layers that differ in their numbers alone are one. */
function othersNote(names: readonly string[]): string {
  const kinds = [...new Set(names.map((name) => name.replace(/\.\d+\./, '.{n}.')))];
  const some = kinds.slice(0, 4).join(', ') + (kinds.length > 4 ? ' ...' : '');
  return `${names.length} tensors of attention outside the converted layers keep their heads: ${some}`;
}

/** True when all layers read one table with a number for each query head, which then cannot change places per layer. */
export function hasSharedTable({ modules }: Attention, kind: AttentionModule['kind'] = 'self'): boolean {
  const ofKind = modules.filter((module) => module.kind === kind);
  const tables = ofKind.filter(({ parts }) =>
    parts.some(({ kind: k, order }) => k === 'table' && order === 'q'),
  );
  return tables.length > 0;
}
