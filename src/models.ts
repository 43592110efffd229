// models.ts: the entry `gqa-webgpu/models`: shapes of published models, and the sizes of their KV caches. Browser-safe.
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
export { withKvHeads } from './models/kvLayers.ts';
export type { KvLayer, KvLayers, LayerKind } from './models/kvLayers.ts';
export { findPreset, isPreset, nearestPresets, PRESETS } from './models/presets.ts';
export type { ModelShape } from './models/presets.ts';
