// checkpoint.ts: the entry `gqa-webgpu/checkpoint`: safetensors files and the conversion of model folders. Needs Node.
export { convertFolder } from './checkpoint/convert/disk/convertFolder.ts';
export type { Conversion, ConvertOptions } from './checkpoint/convert/disk/convertFolder.ts';
export type { Progress, Share } from './checkpoint/convert/disk/job.ts';
export { GROUPINGS, METHODS } from './checkpoint/convert/plan.ts';
export type { Grouping, Method } from './checkpoint/convert/plan.ts';
export { MAP_ROLES } from './checkpoint/find/tensorMap.ts';
export type { MapEntry, MapRole } from './checkpoint/find/tensorMap.ts';
export { CheckpointError } from './checkpoint/format/checkpointError.ts';
export { SafetensorsFile, writeSafetensors } from './checkpoint/format/file.ts';
export type { TensorData } from './checkpoint/format/file.ts';
export { DTYPE_BYTES } from './checkpoint/format/safetensors.ts';
export type {
  SafetensorsDtype,
  SafetensorsHeader,
  TensorInfo,
  TensorSpec,
} from './checkpoint/format/safetensors.ts';
export { HEAD_MAPS } from './checkpoint/heads/heads.ts';
export type { HeadMap } from './checkpoint/heads/heads.ts';
export type { Positions } from './models/families/family.ts';
export { openModel } from './checkpoint/model/disk/openModel.ts';
export type { ConversionOptions } from './checkpoint/convert/plan.ts';
export type { ModelSource } from './models/decoder/modelSource.ts';
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
