// publicTypes.ts: reads declaration files: which types an entry's declarations use, and which of those it does not export.

/** Texts of declaration files by path, such as `decode/plan.d.ts`. */
export type Declarations = ReadonlyMap<string, string>;

/** A declaration: its file and its name there. */
type Place = `${string}#${string}`;

interface DeclarationFile {
  /** Text of each declaration, without comments. */
  readonly declared: ReadonlyMap<string, string>;
  /** Where imported names come from. */
  readonly imported: ReadonlyMap<string, Place>;
  /** What it exports, of its own and from other files; `*` for all of another. */
  readonly exported: readonly Place[];
}

const START =
  /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|function|const|namespace) (\w+)/;
const FROM = /^(import|export)(?: type)? (?:\{([^}]*)\}|\*(?: as \w+)?) from '([^']+)';$/gm;

function read(path: string, text: string): DeclarationFile {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const declared = new Map<string, string>();
  const exported: Place[] = [];
  for (const piece of code.split(/^(?=\S)(?!\}|\)|\])/m)) {
    const name = START.exec(piece)?.[1];
    if (!name) continue;
    declared.set(name, (declared.get(name) ?? '') + piece);
    if (piece.startsWith('export ')) exported.push(`${path}#${name}`);
  }
  const imported = new Map<string, Place>();
  for (const [, kind, names, from] of code.matchAll(FROM)) {
    const file = new URL(from!, `file:///${path}`).pathname.slice(1).replace(/\.ts$/, '.d.ts');
    for (const each of names?.split(',').filter((name) => name.trim()) ?? ['*']) {
      const [name, as = name] = each
        .replace(/\btype\b/, '')
        .trim()
        .split(' as ');
      if (kind === 'import') imported.set(as!, `${file}#${name!}`);
      else exported.push(`${file}#${name!}`);
    }
  }
  return { declared, imported, exported };
}

/** Types that the declarations of entries name, at any depth, and that no entry exports: `file#Name`. */
export function hiddenTypes(declarations: Declarations, entries: readonly string[]): Place[] {
  const files = new Map([...declarations].map(([path, text]) => [path, read(path, text)]));
  const open = new Set(entries.flatMap((path) => exportsOf(files, path)));
  const hidden = new Set<Place>();
  for (const place of open) {
    const [path, name] = place.split('#') as [string, string];
    const { declared, imported } = files.get(path)!;
    for (const [word] of (declared.get(name) ?? '').matchAll(/\b[A-Za-z_]\w*\b/g)) {
      const local: Place | undefined = declared.has(word) ? `${path}#${word}` : undefined;
      const used = imported.get(word) ?? local;
      if (used !== undefined && !open.has(used)) hidden.add(used);
    }
  }
  return [...hidden];
}

/** What a file exports, followed to where it is declared. */
function exportsOf(files: ReadonlyMap<string, DeclarationFile>, path: string): Place[] {
  return files.get(path)!.exported.flatMap((place) => {
    const [file, name] = place.split('#') as [string, string];
    return name === '*' ? exportsOf(files, file) : [place];
  });
}
