// convertFolder.ts: runs a conversion on folders as the command does, and reads checkpoints back.
import { findAttention, type AttentionOptions } from '../../src/checkpoint/find/findAttention.ts';
import { Calibration } from '../../src/checkpoint/convert/disk/calibration.ts';
import { finishConversion } from '../../src/checkpoint/convert/disk/finish.ts';
import { convertShards, type ConversionJob } from '../../src/checkpoint/convert/disk/job.ts';
import { openModelFolder } from '../../src/checkpoint/convert/disk/modelFolder.ts';
import { ModelReader } from '../../src/checkpoint/convert/disk/modelReader.ts';
import { checkTarget } from '../../src/checkpoint/convert/disk/target.ts';
import { planConversion, type ConversionOptions } from '../../src/checkpoint/convert/plan.ts';

export type Options = Partial<ConversionOptions> &
  AttentionOptions & {
    readonly kvHeads: number;
    readonly calibration?: string;
    readonly hashFiles?: boolean;
  };

/** Sets a conversion up and hands it to `use`. */
export async function withJob<T>(
  source: string,
  out: string,
  { calibration: path, hashFiles = false, format, positions, ...options }: Options,
  use: (job: ConversionJob) => Promise<T>,
): Promise<T> {
  const model = await openModelFolder(source);
  const attention = findAttention(model.tensors, model.config, source, {
    ...(format && { format }),
    ...(positions && { positions }),
  });
  const plan = planConversion(
    attention,
    model.tensors,
    { method: 'mean', grouping: 'neighbours', headMap: 'contiguous', renorm: true, seed: 42, ...options },
    source,
  );
  const reader = new ModelReader(model);
  const calibration = path === undefined ? undefined : await Calibration.open(path, attention);
  try {
    return await use({
      model,
      plan,
      out,
      hashFiles,
      sources: {
        read: (name) => reader.read(name),
        readFloats: (name) => reader.readFloats(name),
        inputsOf: async (module) => calibration?.inputsOf(module),
      },
      origin: { tool: 'test', source: model.name, calibration: calibration?.sha256 },
      onProgress: () => {},
    });
  } finally {
    await calibration?.close();
    await reader.close();
  }
}

/** Converts a whole folder. */
export async function convertFolder(source: string, out: string, options: Options): Promise<string> {
  await withJob(source, out, options, async (job) => {
    if (await checkTarget(job)) return;
    await convertShards(job, { index: 0, of: 1 });
    await finishConversion(job);
  });
  return out;
}

/** All floating-point tensors of a folder, by name. */
export function readAll(folder: string): Promise<Map<string, Float64Array>> {
  return readEach(folder, (reader, name) => reader.readFloats(name));
}

/** Stored bytes of every tensor of a folder, by name. */
export function readAllBytes(folder: string): Promise<Map<string, Uint8Array>> {
  return readEach(folder, (reader, name) => reader.read(name));
}

async function readEach<T>(
  folder: string,
  read: (reader: ModelReader, name: string) => Promise<T>,
): Promise<Map<string, T>> {
  const model = await openModelFolder(folder);
  const reader = new ModelReader(model);
  try {
    const all = new Map<string, T>();
    for (const name of model.tensors.keys()) all.set(name, await read(reader, name));
    return all;
  } finally {
    await reader.close();
  }
}
