// checkModelReport.ts: what a check of a whole model came to, as text and as JSON. Pure.
import { version } from '../../package.json';
import {
  KV_CHECKS,
  type KvCheck,
  type LayerCheck,
  type ModelCheck,
  type RowsError,
} from '../../bench/check/checkModel.ts';
import { markdownTable, plural, type Column } from '../../bench/text/format.ts';
import type { ModelSpec } from '../../src/models/decoder/spec.ts';
import type { NodeGpu } from '../../src/node/adapters.ts';
import { runtimeContext } from '../../src/node/runtimeContext.ts';
import { typesName } from '../../src/numbers/elements.ts';
import type { ModelOptions } from './modelOptions.ts';
import { nameOf, type Variant } from '../../bench/model/variants.ts';

/** A variant's check, and how long it took. */
export type CheckedVariant = Variant & ModelCheck & { readonly seconds: number };

/** All that there is to say. */
export interface ModelReport {
  readonly folder: string;
  readonly spec: ModelSpec;
  readonly flags: Pick<ModelOptions, 'weightType' | 'cacheTypeK' | 'cacheTypeV'>;
  readonly found: NodeGpu;
  readonly variants: readonly CheckedVariant[];
}

const COLUMNS: readonly Column[] = [
  { title: 'behind', align: 'left' },
  { title: 'worst error', align: 'right' },
  { title: 'of largest', align: 'right' },
  { title: 'bound', align: 'right' },
  { title: 'of bound', align: 'right' },
];

/** Checks of K and V in words. */
const KV_NAMES = { k: 'K', v: 'V', crossK: 'cross K', crossV: 'cross V' } as const;

/** Those that a model has. */
function kvChecksOf({ encoder }: ModelSpec): readonly KvCheck[] {
  return KV_CHECKS.filter((name) => encoder || name === 'k' || name === 'v');
}

/** What was checked, then a table and a verdict for each variant. */
export function checkModelText({ folder, spec, flags, found, variants }: ModelReport): string {
  const { prompt, chosen } = variants[0]!;
  const { runtime } = runtimeContext(found);
  const { weightType = 'as the checkpoint has them', cacheTypeK, cacheTypeV = cacheTypeK } = flags;
  const cache = typesName({ kType: cacheTypeK, vType: cacheTypeV });
  return [
    `gqa ${version} check of ${folder} on "${found.adapterName}" (${runtime.kind} ${runtime.version}, ${runtime.webgpu})`,
    `${spec.type}, ${layersText(spec)}; weights ${weightType}, KV cache ${cache}; ${plural(prompt.length, 'token')} of a ${spec.encoder ? 'source' : 'prompt'}, ${plural(chosen.length, 'greedy token')} behind ${spec.encoder ? 'the start token' : 'it'}`,
    ...variants.flatMap((each) => variantLines(each, spec, variants.length > 1)),
  ].join('\n');
}

function layersText({ encoder, layers }: ModelSpec): string {
  if (!encoder) return plural(layers.length, 'layer');
  return `${plural(encoder.layers.length, 'layer')} of the encoder and ${layers.length} of the decoder`;
}

function variantLines(variant: CheckedVariant, spec: ModelSpec, isOneOfMany: boolean): string[] {
  const { layers, logits } = variant;
  const ofKv = kvChecksOf(spec);
  const columns = ofKv.map((name): Column => ({ title: `its ${KV_NAMES[name]}`, align: 'right' }));
  const rows = [
    ...layers.map((each) => layerCells(each, spec)),
    ['logits', ...errorCells(logits), ...ofKv.map(() => '')],
  ];
  return [
    '',
    ...(isOneOfMany ? [`## ${nameOf(variant)}`, ''] : []),
    markdownTable([...COLUMNS, ...columns], rows),
    '',
    `${verdictOf(variant, spec)} (${variant.seconds.toFixed(1)} s)`,
    tokensText(variant),
  ];
}

function layerCells(check: LayerCheck, spec: ModelSpec): string[] {
  const ofKv = kvChecksOf(spec)
    .map((name) => check[name])
    .map((kv) => (kv ? shareText(kv) : ''));
  return [nameOfLayer(check, spec), ...errorCells(check), ...ofKv];
}

function errorCells(rows: RowsError): string[] {
  const { error, largest, bound } = rows;
  return [short(error), short(error / largest), short(bound), shareText(rows)];
}

function shareText({ error, bound }: RowsError): string {
  if (!Number.isFinite(error + bound)) return 'none';
  return `${(error === 0 ? 0 : (100 * error) / bound).toFixed(0)} %`;
}

function short(value: number): string {
  return Number.isFinite(value) ? value.toExponential(1) : 'no number';
}

/** With an encoder both stacks have their names. */
function nameOfLayer({ stack, layer }: LayerCheck, { encoder }: ModelSpec): string {
  const name = layer === 'embedding' ? layer : `layer ${layer}`;
  return encoder ? `${stack} ${name}` : name;
}

function verdictOf({ pass, layers, logits }: ModelCheck, spec: ModelSpec): string {
  if (pass) return 'ok: all within the bounds';
  const wrong = layers.flatMap((each) => {
    const name = nameOfLayer(each, spec);
    const ofKv = KV_CHECKS.filter((kv) => each[kv]?.pass === false);
    return [...ofKv.map((kv) => `${KV_NAMES[kv]} of ${name}`), ...(each.pass ? [] : [name])];
  });
  if (!logits.pass) wrong.push('logits');
  if (wrong.length === 0) return 'FAILED: a token that is not the likeliest was chosen';
  const rest = wrong.length - 1;
  return `FAILED: ${wrong[0]!} is beyond its bound${rest > 0 ? `, and ${rest} more behind it` : ''}`;
}

function tokensText({ chosen, divergence }: ModelCheck): string {
  if (chosen.length === 0) return 'no greedy tokens: a logit is not finite';
  if (!divergence) return `greedy tokens: ${chosen.length} of ${chosen.length} as the twin chooses`;
  const { at, device, twin, gap, tie } = divergence;
  const kind = tie ? 'a tie, as near as the errors are' : 'more than the errors make up for';
  return `greedy tokens: number ${at + 1} is ${device} where the twin has ${twin}, by ${short(gap)} of its logits: ${kind}`;
}

/** The same as data. */
export function checkModelJson({ folder, spec, flags, found, variants }: ModelReport) {
  const { weightType = null, cacheTypeK, cacheTypeV = cacheTypeK } = flags;
  return {
    version,
    runtime: runtimeContext(found).runtime,
    adapter: found.adapterName,
    software: found.software,
    model: {
      folder,
      type: spec.type,
      ...(spec.encoder && { encoderLayers: spec.encoder.layers.length }),
      layers: spec.layers.length,
    },
    weightType,
    cacheTypeK,
    cacheTypeV,
    variants: variants.map(({ method = null, divergence = null, ...each }) => ({
      method,
      ...each,
      divergence,
    })),
  };
}
