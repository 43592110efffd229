// placedFiles.ts: files that a reader dropped or chose, each with its place in a folder.

/** A file that a model's folder has. */
export const CONFIG = 'config.json';

/** A file and where it lies: "smollm/config.json". */
export interface PlacedFile {
  readonly path: string;
  readonly file: File;
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
