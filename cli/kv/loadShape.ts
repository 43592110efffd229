// loadShape.ts: a model's shape from what people type: a preset name, a config.json, a folder with one, or a GGUF file.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { GqaError, messageOf } from '../../src/device/errors.ts';
import { shapeFromConfig, type ConfigShape } from '../../src/models/config.ts';
import { parseConfigJson } from '../../src/models/configJson.ts';
import { isPreset, nearestPresets } from '../../src/models/presets.ts';
import { readText } from '../../src/files/memory.ts';
import { presetShape } from '../../bench/kv/presetShape.ts';
import { loadGgufShape } from './ggufFile.ts';

/** The shape that a preset name, a path to a config.json or GGUF file or a folder with a config.json stands for. Else a GqaError. */
export async function loadShape(model: string): Promise<ConfigShape> {
  if (isPreset(model)) return presetShape(model);
  if (model.toLowerCase().endsWith('.gguf') && existsSync(model)) return loadGgufShape(model);
  const { config, path } = readModelConfig(model);
  return shapeFromConfig(config, path);
}

/** The config.json that a path or a folder stands for, parsed, and its path. Else a GqaError. */
export function readModelConfig(model: string): { config: unknown; path: string } {
  if (!existsSync(model)) {
    const nearest = nearestPresets(model).join(', ');
    throw new GqaError(
      'unknown-model',
      `no preset, file or folder is called "${model}"; nearest presets: ${nearest} (all: gqa kv --list)`,
    );
  }
  const path = statSync(model).isDirectory() ? join(model, 'config.json') : model;
  return { config: readConfig(path), path };
}

function readConfig(path: string): unknown {
  if (!path.endsWith('.json')) {
    throw new GqaError(
      'config',
      `expected a config.json, a folder that contains one, or a GGUF file, got "${path}"`,
    );
  }
  return parseConfigJson(readConfigText(path), path);
}

function readConfigText(path: string): string {
  try {
    return readText(path);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new GqaError('config', `${path}: expected a readable JSON file: ${reason}`, { cause });
  }
}
