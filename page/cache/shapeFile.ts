// shapeFile.ts: the shape of a model from a file that a reader dropped or chose: its config.json, or its GGUF file.
import { shapeFromGguf } from '../../bench/kv/ggufShape.ts';
import { readGguf } from '../../bench/kv/readGguf.ts';
import { formatBytes } from '../../bench/text/format.ts';
import { GqaError } from '../../src/index.ts';
import { shapeFromConfig, type ConfigShape } from '../../src/models/config.ts';
import { parseConfigJson } from '../../src/models/configJson.ts';
import type { PlacedFile } from '../shell/placedFiles.ts';

/** The largest of real ones have a few kilobytes. */
const MOST_CONFIG_BYTES = 2 ** 24;

const isGguf = ({ file }: PlacedFile) => /\.gguf$/i.test(file.name);
const isJson = ({ file }: PlacedFile) => /\.json$/i.test(file.name);

/** A later part of a model in several files, whose header says nothing of the model. */
const isLaterPart = ({ file }: PlacedFile) => /-(?!00001)\d{5}-of-\d{5}\.gguf$/i.test(file.name);

/** The model that files are of; of a GGUF file no more than the header is read. Anything else is a GqaError. */
export async function shapeOfFiles(files: readonly PlacedFile[]): Promise<ConfigShape> {
  const ggufs = files.filter((placed) => isGguf(placed) && !isLaterPart(placed));
  const configs = files
    .filter(isJson)
    .filter(({ file }, _, all) => all.length === 1 || file.name === 'config.json');
  const [only, ...others] = ggufs.length > 0 ? ggufs : configs;
  if (!only || others.length > 0) {
    const got = (others.length > 0 ? [only!, ...others] : files).map(({ path }) => path);
    const names = got.length === 0 ? 'none' : `${got.slice(0, 3).join(', ')}${got.length > 3 ? ', ...' : ''}`;
    throw new GqaError('config', `expected one config.json or one GGUF file, got ${names}`);
  }
  return isGguf(only) ? shapeOfGguf(only) : shapeOfConfig(only);
}

async function shapeOfGguf({ path, file }: PlacedFile): Promise<ConfigShape> {
  const read = async (begin: number, end: number) =>
    new Uint8Array(await file.slice(begin, end).arrayBuffer());
  return shapeFromGguf(await readGguf({ size: file.size, read }, path), path);
}

async function shapeOfConfig({ path, file }: PlacedFile): Promise<ConfigShape> {
  if (file.size > MOST_CONFIG_BYTES)
    throw new GqaError('config', `${path}: expected a config.json, got a file of ${formatBytes(file.size)}`);
  return shapeFromConfig(parseConfigJson(await file.text(), path), path);
}
