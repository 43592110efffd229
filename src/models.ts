// models.ts: the entry `gqa-webgpu/models`: whole models, shapes of published ones, and the sizes of their KV caches. Browser-safe.
export { shapeFromConfig } from './models/config.ts';
export type { ConfigShape } from './models/config.ts';
export { parseConfigJson } from './models/configJson.ts';
export {
  crossBytesPerToken,
  kvBytesPerToken,
  kvCacheBytes,
  readFloorMs,
  storedRows,
} from './models/kvBytes.ts';
export type { RowBytes } from './models/kvBytes.ts';
export { growingText } from './models/growingText.ts';
export type { GrowingText } from './models/growingText.ts';
export { withKvHeads } from './models/kvLayers.ts';
export type { KvLayer, KvLayers, LayerKind } from './models/kvLayers.ts';
export { findPreset, isPreset, nearestPresets, PRESETS } from './models/presets.ts';
export type { ModelShape } from './models/presets.ts';
export { openModelFiles } from './checkpoint/model/modelFiles.ts';
export type { ByteSource, ModelFiles } from './checkpoint/model/fileParts.ts';
export { ModelContext } from './models/decoder/context.ts';
export type { LogitRow } from './models/decoder/context.ts';
export type { ContextOptions } from './models/decoder/contextArgs.ts';
export type { GenerateOptions } from './models/decoder/generate.ts';
export type { WeightOptions } from './models/decoder/loadedWeights.ts';
export { planMemory } from './models/decoder/memoryPlan.ts';
export type { MemoryOptions, MemoryPlan } from './models/decoder/memoryPlan.ts';
export { loadModel, Model } from './models/decoder/model.ts';
export { ModelSource } from './models/decoder/modelSource.ts';
export type { PairPerplexity, PairPerplexityOptions, TextPair } from './models/decoder/pairPerplexity.ts';
export type { Perplexity, PerplexityOptions } from './models/decoder/perplexity.ts';
export type {
  AttentionSpec,
  CrossSpec,
  EncoderSpec,
  LayerSpec,
  MlpSpec,
  ModelSpec,
  NormSpec,
  ProjectionSpec,
  RelativeBiasSpec,
} from './models/decoder/spec.ts';
export type { Activation, NormKind } from './kernels/model/product.ts';
export type { WeightType } from './kernels/model/weightsLib.ts';
