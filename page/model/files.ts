// files.ts: the files of a model, of those that were dropped on the page or chosen: a folder, or what lies in one.
import { GqaError } from '../../src/device/errors.ts';

/** A model's files by name. */
export interface ModelFolder {
  /** What messages call it. */
  readonly name: string;
  readonly files: Readonly<Record<string, File>>;
}

/** A file and where it lies: "smollm/config.json". */
export interface PlacedFile {
  readonly path: string;
  readonly file: File;
}

const CONFIG = 'config.json';

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

/** Files that were chosen: a folder's know where they lie in it. */
export function chosenFiles(list: FileList): PlacedFile[] {
  return Array.from(list, (file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** Folders inside a dropped folder are looked into as far down as this, and no further once there is a config.json. */
const DEEPEST = 3;

/** Files and folders that were dropped. Has to be called before the event is over. */
export async function droppedFiles(transfer: DataTransfer): Promise<PlacedFile[]> {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file');
  // Only while the event lasts do items know what they are.
  const dropped = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const files = dropped.filter((each) => each instanceof File);
  const placed: PlacedFile[] = files.map((file) => ({ path: file.name, file }));
  let level = dropped.filter((each): each is FileSystemEntry => each !== null && !(each instanceof File));
  for (let depth = 0; depth <= DEEPEST && level.length > 0; depth++) {
    for (const entry of level) if (isFile(entry)) placed.push(await placedFile(entry));
    if (placed.some(({ path }) => path.split('/').at(-1) === CONFIG)) break;
    level = (await Promise.all(level.filter(isFolder).map(entriesOf))).flat();
  }
  return placed;
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

async function placedFile(entry: FileSystemFileEntry): Promise<PlacedFile> {
  const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
  return { path: entry.fullPath.replace(/^\//, ''), file };
}

/** A reader gives a folder's entries in parts, an empty one last. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (part.length === 0) return all;
    all.push(...part);
  }
}
