// kernelGroups.ts: every shader the project can link, in groups, for the tests that hand them all to a compiler.
import type { DeviceFacts } from '../../src/device/deviceFacts.ts';
import { ROPE_STYLES } from '../../src/numbers/rope.ts';
import { appendKv } from '../../src/kernels/appendKv.ts';
import { forkRows } from '../../src/kernels/forkRows.ts';
import { neighbours, startVariants } from '../../bench/tune/candidates.ts';
import { decodeMerge, mergeFinished, mergeSets } from '../../src/kernels/decodeMerge.ts';
import {
  decodeRegisters,
  registersWorkgroupBytes,
  type RegistersVariant,
} from '../../src/kernels/decodeRegisters.ts';
import { KV_TYPES } from '../../src/numbers/elements.ts';
import { checkVariant, chooseIn, fusedKernel, type FusedTemplate } from '../../src/kernels/fused.ts';
import type { Kernel } from '../../src/kernels/kernel.ts';
import type { CacheFormat } from '../../src/kernels/lib.ts';
import { plainAv, plainScores, plainSoftmax } from '../../src/kernels/plain.ts';
import { MATMUL_VARIANTS } from '../../bench/studies/prefill.ts';
import { matmul } from '../../src/kernels/probe/matmul.ts';
import { readStream } from '../../src/kernels/probe/readStream.ts';
import { checkShape, type GqaShape, type ShapeOptions } from '../../src/kernels/shape.ts';
import { subgroupProbe } from '../../src/kernels/probe/subgroupProbe.ts';
import { GPU_FACTS, GPUS, SOFTWARE_FACTS, SUBGROUP_SIZES, withSubgroups } from './deviceFacts.ts';
import type { RowFormats } from '../../src/kernels/rowFormats.ts';
import { F32_ROWS } from './rowFormats.ts';
import { gemmKernels, productKernels, rowKernels } from './modelKernels.ts';
import { chosenRegisters, everyTwoSizes, pairedRegisters } from './registersSizes.ts';
import { HEAD_DIMS } from './shapes.ts';
import { optimiserKernels } from './trainKernels/optimiser.ts';
import { tokenKernels } from './trainKernels/tokens.ts';
import { rowsKernels } from './trainKernels/rows.ts';
import { matmulKernels } from './trainKernels/matmul.ts';
import { attentionKernels } from './trainKernels/attention.ts';

/** What a group's kernels need beyond WebGPU's core. */
export type Needs = 'nothing' | 'subgroups';

/** Kernels of one kind. */
export interface KernelGroup {
  readonly name: string;
  readonly needs: Needs;
  /** Links them; no two have the same text. */
  readonly kernels: () => Kernel[];
}

export const F16: CacheFormat = { kType: 'f16', vType: 'f16' };

/** Every type of K with every type of V. */
const FORMATS: readonly CacheFormat[] = KV_TYPES.flatMap((kType) =>
  KV_TYPES.map((vType) => ({ kType, vType })),
);

/** Head dims that meet all of them: one that is a power of two, one of which int4 has half a word. Others meet each type once. */
const FORMATS_HEAD_DIMS: readonly number[] = [80, 128];

const formatsOf = (headDim: number): readonly CacheFormat[] =>
  FORMATS_HEAD_DIMS.includes(headDim)
    ? FORMATS
    : KV_TYPES.map((kType, i) => ({
        kType,
        vType: KV_TYPES[(i + HEAD_DIMS.indexOf(headDim)) % KV_TYPES.length]!,
      }));

/** Query heads of one KV head. */
const shapeOf = (headDim: number, options: Omit<ShapeOptions, 'numKvHeads' | 'headDim'>) =>
  checkShape({ ...options, numKvHeads: 1, headDim });

/** Groups of every size in f16, with several positions too; one group in all formats of the head dim. */
function problemsOf(headDim: number): [GqaShape, CacheFormat][] {
  const shapes = [
    ...[1, 3, 4, 8, 16, 32, 71].map((numQHeads) => ({ numQHeads })),
    ...[1, 4, 71].map((numQHeads) => ({ numQHeads, qLen: 5 })),
    { numQHeads: 4, qLen: 3, causal: false },
  ].map((options) => shapeOf(headDim, options));
  return [
    ...shapes.map((shape): [GqaShape, CacheFormat] => [shape, F16]),
    ...formatsOf(headDim).map((format): [GqaShape, CacheFormat] => [shapes[1]!, format]),
  ];
}

/** Chunks of many positions. */
function chunksOf(headDim: number): [GqaShape, CacheFormat][] {
  return [
    [shapeOf(headDim, { numQHeads: 4, qLen: 64 }), F16],
    [shapeOf(headDim, { numQHeads: 7, qLen: 64, causal: false }), { kType: 'int8', vType: 'int4' }],
  ];
}

/** A template in the sizes that are chosen for such a device. */
function chosenKernels(
  template: FusedTemplate,
  problems: readonly [GqaShape, CacheFormat][],
  facts: DeviceFacts,
): Kernel[] {
  return problems.map(([shape, format]) => {
    const variant = chooseIn(template, shape, format, facts);
    checkVariant(shape, format, variant, facts);
    return fusedKernel(shape, format, variant, F32_ROWS);
  });
}

const MERGE_FACTS: readonly DeviceFacts[] = [GPU_FACTS, SOFTWARE_FACTS];

/** Each type of rows once, with log-sum-exps and without. */
const F32_AND_F16: readonly RowFormats[] = [F32_ROWS, { q: 'f16', o: 'f16', lse: false }];

function otherKernels(shape: GqaShape, format: CacheFormat): Kernel[] {
  const setsOf = (facts: DeviceFacts) => mergeSets(shape.vHeadDim, facts);
  return [
    ...F32_AND_F16.flatMap((rows) => [plainScores(shape, format, rows), plainAv(shape, format, rows)]),
    appendKv({ ...shape, ...format }),
    ...ROPE_STYLES.map((style) =>
      appendKv(
        { ...shape, ...format },
        {
          rope: { style, rotaryDim: shape.headDim },
          norm: true,
          numQHeads: shape.numQHeads,
          types: { k: 'f16', v: 'f32', q: 'f16' },
        },
      ),
    ),
    forkRows(),
    ...F32_AND_F16.flatMap((rows) => [
      plainSoftmax(shape, format, rows),
      ...MERGE_FACTS.map((facts) => decodeMerge(shape, setsOf(facts), rows)),
    ]),
    ...MERGE_FACTS.map((facts) => mergeFinished(shape.vHeadDim, shape.rows, 2, setsOf(facts))),
  ];
}

/** A variant of decode_registers with a shape for it, whatever shape it was chosen for. */
interface RegistersKernel {
  readonly shape: GqaShape;
  readonly variant: RegistersVariant;
  readonly kernel: Kernel;
}

/** Every combination of lanes, tokens, rows and blocks that decode_registers is ever given on such devices; caches of f16. */
export function everyRegisters(devices: readonly DeviceFacts[]): RegistersKernel[] {
  return registersKernels(chosenRegisters(withAllSubgroups(devices)));
}

/** As few of these as have every two of lanes, tokens and rows together, and each number of blocks: all take a compiler minutes. */
export function pairedSizes(devices: readonly DeviceFacts[]): RegistersKernel[] {
  return registersKernels(everyTwoSizes(pairedRegisters(withAllSubgroups(devices))));
}

function withAllSubgroups(devices: readonly DeviceFacts[]): DeviceFacts[] {
  return devices.flatMap((device) => SUBGROUP_SIZES.map((size) => withSubgroups(device, size)));
}

function registersKernels(variants: readonly RegistersVariant[]): RegistersKernel[] {
  return variants.map((variant) => {
    // 128 halves are 16 words; more lanes than that want more words. One row short of full teams.
    const numQHeads = Math.max(1, variant.teamRows * variant.blocks - 1);
    const large = shapeOf(variant.lanes > 16 ? 256 : 128, { numQHeads });
    // Sizes of smaller rows may need more workgroup memory here than a device has: then those rows themselves.
    const fits = registersWorkgroupBytes(large, F16, variant) <= GPU_FACTS.maxWorkgroupStorage;
    const shape = fits ? large : { ...large, headDim: 64, vHeadDim: 64 };
    return { shape, variant, kernel: decodeRegisters(shape, F16, variant, F32_ROWS) };
  });
}

/** What `gqa tune` tries of a template around its start. */
function triedKernels(template: FusedTemplate, headDim: number, facts: DeviceFacts): Kernel[] {
  const shape = shapeOf(headDim, { numQHeads: 8 });
  return [F16, { kType: 'int8', vType: 'int4' } as const].flatMap((format) =>
    startVariants(shape, format, facts)
      .filter((variant) => variant.template === template)
      .flatMap((variant) => neighbours(variant, shape, format, facts).flat())
      .map((variant) => fusedKernel(shape, format, variant, { ...F32_ROWS, lse: false })),
  );
}

const DEVICES = {
  GPU: GPU_FACTS,
  CPU: SOFTWARE_FACTS,
  'CPU with subgroups of four': withSubgroups(SOFTWARE_FACTS, 4),
} as const;

const group = (name: string, needs: Needs, kernels: () => Kernel[]): KernelGroup => ({
  name,
  needs,
  kernels: () => [...new Map(kernels().map((kernel) => [kernel.source, kernel])).values()],
});

// What is tried around a start hardly depends on the head dim: one that is a power of two, one that is not.
const TUNED_HEAD_DIMS: readonly number[] = [80, 128];

function tunedGroups(headDim: number): KernelGroup[] {
  return (['GPU', 'CPU'] as const).flatMap((kind) =>
    (['tiles', 'registers'] as const).map((template) =>
      group(
        `head dim ${headDim}: decode_${template} as tuned on a ${kind}`,
        template === 'tiles' ? 'nothing' : 'subgroups',
        () => triedKernels(template, headDim, DEVICES[kind]),
      ),
    ),
  );
}

function groupsOf(headDim: number): KernelGroup[] {
  const problems = problemsOf(headDim);
  const named = (what: string) => `head dim ${headDim}: ${what}`;
  return [
    ...Object.entries(DEVICES).map(([kind, facts]) =>
      group(named(`decode_tiles in sizes for a ${kind}`), 'nothing', () =>
        chosenKernels('tiles', problems, facts),
      ),
    ),
    ...(['GPU', 'CPU'] as const).map((kind) =>
      group(named(`decode_registers in sizes for a ${kind}`), 'subgroups', () =>
        chosenKernels('registers', problems, DEVICES[kind]),
      ),
    ),
    ...(['GPU', 'CPU'] as const).map((kind) =>
      group(named(`prefill in sizes for a ${kind}`), 'nothing', () =>
        chosenKernels('prefill', chunksOf(headDim), DEVICES[kind]),
      ),
    ),
    ...(TUNED_HEAD_DIMS.includes(headDim) ? tunedGroups(headDim) : []),
    group(named('append, merge and plain'), 'nothing', () =>
      problems.flatMap(([shape, format]) => otherKernels(shape, format)),
    ),
  ];
}

/** Head dims of K and of V at the ends of the range, and rows that end within a word, in every type once. */
const RARE_PROBLEMS: readonly [GqaShape, CacheFormat][] = [
  [shapeOf(8, { numQHeads: 3 }), { kType: 'int8', vType: 'int4' }],
  [shapeOf(24, { numQHeads: 4, vHeadDim: 40, qLen: 3 }), { kType: 'f16', vType: 'int8' }],
  [shapeOf(72, { numQHeads: 1, vHeadDim: 512 }), { kType: 'int4', vType: 'f32' }],
  [shapeOf(512, { numQHeads: 8, vHeadDim: 320 }), { kType: 'bf16', vType: 'f16' }],
  [shapeOf(512, { numQHeads: 4, vHeadDim: 8 }), { kType: 'f32', vType: 'bf16' }],
];

/** Features by themselves, and all that go together; with several positions, so that a window has work in kernels. */
const FEATURE_PROBLEMS: readonly [GqaShape, CacheFormat][] = (
  [
    { window: 100, sinkTokens: 4, softcap: 50, alibi: true, sinkLogits: true, bias: true },
    { treeMask: true, softcap: 50, sinkLogits: true, bias: true },
    { window: 100, sinkLogits: true },
    { softcap: 1e-30 },
    { alibi: true },
    { window: 100, sinkTokens: 4, softcap: 50, relativeBias: 128 },
  ] as const
).map((features) => [shapeOf(64, { numQHeads: 4, qLen: 3, features }), F16]);

/** Windows in a ring of their own, of which two kernels read scales too. */
const RING_PROBLEMS: readonly [GqaShape, CacheFormat][] = KV_TYPES.map((kType) => [
  shapeOf(64, { numQHeads: 4, qLen: 3, features: { window: 100, sinkTokens: 4 } }),
  { kType, vType: kType, ring: { slots: 112, sinkSlots: 4 } },
]);

/** Some of a layer's KV heads in a binding, with rings and without. */
const SEGMENT_PROBLEMS: readonly [GqaShape, CacheFormat][] = [
  [shapeOf(64, { numQHeads: 4, qLen: 3 }), { kType: 'int8', vType: 'f16', segments: 2 }],
  [
    shapeOf(64, { numQHeads: 4, qLen: 3, features: { window: 100, sinkTokens: 4 } }),
    { kType: 'int4', vType: 'f32', segments: 2, ring: { slots: 112, sinkSlots: 4 } },
  ],
];

function groupsInAll(name: string, problems: readonly [GqaShape, CacheFormat][]): KernelGroup[] {
  const templates = [
    ['tiles', 'nothing'],
    ['registers', 'subgroups'],
  ] as const;
  return [
    ...templates.map(([template, needs]) =>
      group(`${name}: decode_${template}`, needs, () =>
        [GPU_FACTS, SOFTWARE_FACTS].flatMap((facts) => chosenKernels(template, problems, facts)),
      ),
    ),
    group(`${name}: append, merge and plain`, 'nothing', () =>
      problems.flatMap(([shape, format]) => otherKernels(shape, format)),
    ),
  ];
}

/** All there are. */
export const KERNEL_GROUPS: readonly KernelGroup[] = [
  ...HEAD_DIMS.flatMap(groupsOf),
  ...groupsInAll('rare head dims', RARE_PROBLEMS),
  ...groupsInAll('features', FEATURE_PROBLEMS),
  group('decode_registers with every two of its sizes together for GPUs', 'subgroups', () =>
    pairedSizes(GPUS).map(({ kernel }) => kernel),
  ),
  group('decode_registers with every two of its sizes together for CPUs', 'subgroups', () =>
    pairedSizes([SOFTWARE_FACTS]).map(({ kernel }) => kernel),
  ),
  group('read_stream', 'nothing', () =>
    [64, 256].flatMap((wgSize) => [16, 1 << 20, 1 << 30].map((bytes) => readStream(bytes, wgSize))),
  ),
  group('matmul', 'nothing', () =>
    MATMUL_VARIANTS.map((variant) => matmul({ m: 1024, n: 1024, k: 1024 }, variant).kernel),
  ),
  ...groupsInAll('rings', RING_PROBLEMS),
  ...groupsInAll('some KV heads', SEGMENT_PROBLEMS),
  group('some KV heads: prefill', 'nothing', () =>
    [GPU_FACTS, SOFTWARE_FACTS].flatMap((facts) => chosenKernels('prefill', SEGMENT_PROBLEMS, facts)),
  ),
  group('copies from another segment', 'nothing', () => [forkRows({ across: true })]),
  group('products of models', 'nothing', () => productKernels(false)),
  group('products of models whose subgroups read together', 'subgroups', () => productKernels(true)),
  group('products of models, of many rows', 'nothing', gemmKernels),
  group('kernels of models beside products', 'nothing', rowKernels),
  group('train tokens', 'nothing', tokenKernels),
  group('train optimiser', 'nothing', optimiserKernels),
  group('train rows', 'nothing', rowsKernels),
  group('train matmul', 'nothing', matmulKernels),
  group('train attention', 'nothing', attentionKernels),
  group('subgroup_probe', 'subgroups', () =>
    [4, 64, 256].flatMap((wgSize) => [2, 4].map((lanes) => subgroupProbe({ wgSize, lanes }))),
  ),
];
