// trainedAs.ts: what a checkpoint's metadata says of the training that it comes from.
import { isRecord } from '../device/options.ts';

/** What a folder's weights and config say; undefined where they do not. */
export interface TrainedAs {
  /** Steps of the original training. */
  readonly steps: number | undefined;
  readonly batch: number | undefined;
  readonly context: number | undefined;
  /** Positions that its config says it is for. */
  readonly positions: number | undefined;
}

/** Reads it, of the metadata of a safetensors file and a config.json. */
export function trainedAs(metadata: Readonly<Record<string, string>>, config: unknown): TrainedAs {
  const steps = Number(metadata['gqa.train_steps']);
  const options = parsed(metadata['gqa.train']);
  const count = (value: unknown) =>
    Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : undefined;
  const positions = isRecord(config) ? config['max_position_embeddings'] : undefined;
  return {
    steps: count(steps),
    batch: count(options['batch']),
    context: count(options['context']),
    positions: count(positions),
  };
}

function parsed(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(text ?? '{}') ?? {}) as Record<string, unknown>;
  } catch {
    return {}; // of another tool
  }
}
