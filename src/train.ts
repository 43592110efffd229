// train.ts: the entry `gqa-webgpu/train`: training and uptraining of whole models on a device. Browser-safe.
export { createTrainer, planTrainer } from './train/createTrainer.ts';
export type { CreateTrainerOptions } from './train/createTrainer.ts';
export { Trainer } from './train/trainer.ts';
export type { StepReport, TrainerOptions, TrainingState } from './train/trainer.ts';
export type { AdamwOptions, Moments, StepFigures } from './train/adamw.ts';
export type { TrainingMemory, TrainingSizes } from './train/allocation.ts';
export type { BatchSizes } from './train/attention.ts';
export { SCHEDULES } from './train/schedule.ts';
export type { RateOptions, Schedule } from './train/schedule.ts';
export { checkpointTensors, newLlama, openCheckpoint } from './train/sources.ts';
export type { NewLlamaOptions } from './train/sources.ts';
export type { MemoryCheckpoint } from './train/memoryParts.ts';
export type { ModelSizes } from './train/newModel.ts';
export type { FloatTensor } from './train/weights.ts';
export { TRAINING_SIZES } from './train/sizes.ts';
export type { TrainingSize, TrainingSizeName } from './train/sizes.ts';
export { splitTokens } from './train/text/batches.ts';
export type { TokenParts, Tokens } from './train/text/batches.ts';
export { charVocabulary } from './train/text/characters.ts';
export type { CharVocabulary } from './train/text/characters.ts';
export { generatedText } from './train/text/generatedText.ts';
export { charTokenizerFiles } from './train/text/tokenizerFiles.ts';
export type { TokenizerFiles } from './train/text/tokenizerFiles.ts';
export { GROUPINGS, METHODS } from './checkpoint/convert/plan.ts';
export type { ConversionOptions, Grouping, Method } from './checkpoint/convert/plan.ts';
export { HEAD_MAPS } from './checkpoint/heads/heads.ts';
export type { HeadMap } from './checkpoint/heads/heads.ts';
export { ModelSource } from './models/decoder/modelSource.ts';
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
