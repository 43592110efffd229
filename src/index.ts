// index.ts: the public names. Browser-safe: no runtime dependency, no host object; the caller hands the GPU in.
export { BoundAppend } from './cache/boundAppend.ts';
export type { AppendOptions } from './cache/boundAppend.ts';
export { createKvCache } from './cache/createKvCache.ts';
export { KvCache } from './cache/kvCache.ts';
export type { AppendArgs } from './cache/appendArgs.ts';
export type { TurnArgs } from './cache/turnArgs.ts';
export { createRope, Rope } from './cache/rope.ts';
export type { RopeOptions } from './cache/rope.ts';
export type { QkNorm } from './cache/qkNorm.ts';
export { ropeFrequencies } from './numbers/rope.ts';
export type { RopeFormat, RopeFrequencies, RopeScaling, RopeStyle } from './numbers/rope.ts';
export type { LoadArgs } from './cache/load.ts';
export type { SnapshotOptions } from './cache/snapshot.ts';
export type { SnapshotDtype } from './cache/sequenceRows.ts';
export type { CacheSnapshot, SnapshotTensor, StoredSnapshot } from './cache/snapshotFormat.ts';
export type { TruncateOptions } from './cache/truncate.ts';
export type { CacheLayer, LayerSegment } from './cache/layers.ts';
export type { AppendCounts, CacheReport, LayerReport } from './cache/status.ts';
export { cacheLayout, kvBytesRead, layoutOfLayer } from './cache/layout.ts';
export type { BufferLimits, CacheLayout, CacheOptions, LayerLayout, LayerOptions } from './cache/layout.ts';
export type { CallerPages, SetPagesOptions } from './cache/callerTables.ts';
export type { PageTableOwner, PoolOptions } from './cache/pagePool.ts';
export type { RingLayout, RingOptions } from './cache/rings.ts';
export type { RingSlots } from './kernels/lib.ts';
export { DecodeStep } from './decode/decodeStep.ts';
export { createDecoder, Decoder } from './decode/decoder.ts';
export type { DecoderOptions, OwnShape, StepArgs, StepPlanOptions } from './decode/decoder.ts';
export type { ChoiceOptions } from './decode/context.ts';
export { deviceDescriptor } from './decode/deviceDescriptor.ts';
export type { DeviceNeeds } from './decode/deviceDescriptor.ts';
export { bindMerge, BoundMerge } from './decode/mergeStates.ts';
export { LSE_EMPTY } from './numbers/lse.ts';
export type { MergeArgs } from './decode/mergeStates.ts';
export type { BiasArg, LayerFeatures } from './decode/layerFeatures.ts';
export type { DecodePlan, PlanOptions } from './decode/plan.ts';
export type { ContextOptions, DecodeKernel, KernelChoice, PlanContext } from './decode/planContext.ts';
export type { SplitOptions } from './decode/split.ts';
export type { TreeMasks } from './decode/treeMasks.ts';
export type { TunedEntry, Tuning } from './decode/tuning.ts';
export { isSoftware } from './device/adapterInfo.ts';
export { createStorage, readBack, uploadStorage } from './device/buffers.ts';
export type { BufferArg, BufferRange, StorageData } from './device/buffers.ts';
export {
  DestroyedError,
  DeviceLostError,
  FeatureMissingError,
  ForeignDeviceError,
  GpuError,
  GqaError,
  LimitExceededError,
  NoAdapterError,
  NotExecutedError,
  NotFiniteError,
  OutOfPagesError,
  ShaderError,
  ShapeError,
} from './device/errors.ts';
export { borrowDevice, GqaDevice, openDevice } from './device/gqaDevice.ts';
export type { OpenOptions, WgslLanguageFeatures } from './device/gqaDevice.ts';
export type { DeviceFacts } from './device/deviceFacts.ts';
export type { RecordTarget } from './device/record.ts';
export type { AdapterOffer, DeviceRequest } from './device/request.ts';
export type * as WebGpu from './device/webgpu.ts';
export type { RegistersVariant } from './kernels/decodeRegisters.ts';
export type { PrefillVariant } from './kernels/prefill.ts';
export type { TilesVariant } from './kernels/decodeTiles.ts';
export { KV_RANGES, KV_TYPES } from './numbers/elements.ts';
export type { KvRange, KvType, LostElements, RowsLayout } from './numbers/elements.ts';
export type { FusedTemplate, FusedVariant } from './kernels/fused.ts';
export type { Grid } from './kernels/kernel.ts';
export type { CacheFormat } from './kernels/lib.ts';
export type { RowOrder, RowPlaces, RowsOptions, RowStrides } from './kernels/rowPlaces.ts';
export type { RowType } from './kernels/rowFormats.ts';
export type { SubgroupReport, TeamSizes } from './kernels/probe/subgroupProbe.ts';
export { checkShape, MAX_HEAD_DIM, MAX_Q_LEN, MIN_HEAD_DIM } from './kernels/shape.ts';
export { decodeRows, encodeRows, nothingLost } from './numbers/storedRows.ts';
export type { LostCounts } from './numbers/storedRows.ts';
export type { RowValues } from './numbers/rowArguments.ts';
export type { FeatureOptions } from './kernels/features.ts';
export type { GqaShape, HeadDims, ShapeOptions } from './kernels/shape.ts';
