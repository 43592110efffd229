// files.ts: the files of a model, of those that a reader dropped on the page or chose: a folder, or what lies in one.
import { GqaError } from '../../src/device/errors.ts';
import { CONFIG, type PlacedFile } from '../shell/placedFiles.ts';

/** A model's files by name. */
export interface ModelFolder {
  /** What messages call it. */
  readonly name: string;
  readonly files: Readonly<Record<string, File>>;
}

/** The files beside the outermost config.json. Throws GqaError where there is none, or several at one depth. */
export function modelFolderOf(placed: readonly PlacedFile[]): ModelFolder {
  const folders = placed
    .filter(({ path }) => path.split('/').at(-1) === CONFIG)
    .map(({ path }) => path.slice(0, -CONFIG.length))
    .toSorted((a, b) => depthOf(a) - depthOf(b));
  const [folder, next] = folders;
  if (folder === undefined) throw new GqaError('input', noConfig(placed));
  if (next !== undefined && depthOf(next) === depthOf(folder)) {
    const names = folders.filter((each) => depthOf(each) === depthOf(folder)).map(nameOf);
    throw new GqaError(
      'input',
      `Expected one model, got ${names.toSorted().join(' and ')}. Drop the folder of one.`,
    );
  }
  const inside = placed.filter(
    ({ path }) => path.startsWith(folder) && !path.slice(folder.length).includes('/'),
  );
  return {
    name: nameOf(folder),
    files: Object.fromEntries(inside.map(({ path, file }) => [path.slice(folder.length), file])),
  };
}

function depthOf(folder: string): number {
  return folder.split('/').length;
}

function nameOf(folder: string): string {
  return folder.split('/').at(-2) ?? 'model';
}

/** How many names a message gives. */
const NAMED = 3;

function noConfig(placed: readonly PlacedFile[]): string {
  const wanted = 'Expected a model folder with config.json and safetensors files, got ';
  if (placed.length === 0) return `${wanted}no files.`;
  const names = placed.slice(0, NAMED).map(({ path }) => path);
  const more = placed.length > NAMED ? ` and ${placed.length - NAMED} more` : '';
  return `${wanted}${names.join(', ')}${more}.`;
}
