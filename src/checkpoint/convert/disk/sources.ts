// sources.ts: what a conversion reads: a model's weights and a calibration file, open for as long as it takes.
import type { Attention } from '../../find/findAttention.ts';
import type { MapperSources } from '../mapper.ts';
import { Calibration } from './calibration.ts';
import type { ModelFolder } from './modelFolder.ts';
import { ModelReader } from './modelReader.ts';

/** Opens the weights and, where a path is given, the calibration file for `use`, and closes them. */
export async function withSources<T>(
  model: ModelFolder,
  attention: Attention,
  calibrationPath: string | undefined,
  use: (sources: MapperSources, calibration: Calibration | undefined) => Promise<T>,
): Promise<T> {
  const reader = new ModelReader(model);
  try {
    const calibration =
      calibrationPath === undefined ? undefined : await Calibration.open(calibrationPath, attention);
    try {
      const sources: MapperSources = {
        read: (name) => reader.read(name),
        readFloats: (name) => reader.readFloats(name),
        inputsOf: async (module) => calibration?.inputsOf(module),
      };
      return await use(sources, calibration);
    } finally {
      await calibration?.close();
    }
  } finally {
    await reader.close();
  }
}
