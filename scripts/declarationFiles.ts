// declarationFiles.ts: reads declaration files as tsc writes them: what each declares, imports and exports.

/** Texts of declaration files by path, such as `decode/plan.d.ts`. */
export type Declarations = ReadonlyMap<string, string>;

/** A declaration: its file and its name there. */
export type Place = `${string}#${string}`;

/** A name as importers of a file see it, `WebGpu.GPUBuffer` where it is in a namespace, and where it is declared. */
export interface Exported {
  readonly name: string;
  readonly place: Place;
  /** Exported as a type alone, also where it is a value too. */
  readonly isType: boolean;
}

export interface DeclarationFile {
  /** Text of each declaration, without comments and blank lines. */
  readonly declared: ReadonlyMap<string, string>;
  /** Where imported names come from. */
  readonly imported: ReadonlyMap<string, Place>;
  /** What it exports, of its own and from other files; a place of `*` for all of another. */
  readonly exported: readonly Exported[];
}

const START =
  /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|function|const|namespace) (\w+)/;
const FROM = /^(import|export)( type)? (?:\{([^}]*)\}|\*(?: as (\w+))?) from '([^']+)';$/gm;

/** Reads all files, by path. */
export function readDeclarations(texts: Declarations): ReadonlyMap<string, DeclarationFile> {
  return new Map([...texts].map(([path, text]) => [path, readFile(path, text)]));
}

function readFile(path: string, text: string): DeclarationFile {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').replaceAll(/^\s*\n/gm, '');
  const declared = new Map<string, string>();
  const exported: Exported[] = [];
  for (const piece of code.split(/^(?=\S)(?!\}|\)|\])/m)) {
    const name = START.exec(piece)?.[1];
    if (!name) continue;
    if (piece.startsWith('export ') && !declared.has(name))
      exported.push({ name, place: `${path}#${name}`, isType: false });
    declared.set(name, (declared.get(name) ?? '') + piece);
  }
  const imported = new Map<string, Place>();
  for (const [, kind, typed, names, namespace, from] of code.matchAll(FROM)) {
    const file = new URL(from!, `file:///${path}`).pathname.slice(1).replace(/\.ts$/, '.d.ts');
    const isType = typed !== undefined;
    if (names === undefined) {
      if (kind === 'export') exported.push({ name: namespace ?? '*', place: `${file}#*`, isType });
      continue;
    }
    for (const each of names.split(',').filter((name) => name.trim())) {
      const [name, as = name] = each
        .replace(/\btype\b/, '')
        .trim()
        .split(' as ');
      if (kind === 'import') imported.set(as!, `${file}#${name!}`);
      else exported.push({ name: as!, place: `${file}#${name!}`, isType: isType || /\btype\b/.test(each) });
    }
  }
  return { declared, imported, exported };
}

type Files = ReadonlyMap<string, DeclarationFile>;

/** What a file exports, followed to where it is declared. */
export function exportsOf(files: Files, path: string): Exported[] {
  return files.get(path)!.exported.flatMap(({ name, place, isType }) => {
    const [file, inFile] = place.split('#') as [string, string];
    if (inFile !== '*') return [{ name, place: declarationPlace(files, place), isType }];
    return exportsOf(files, file).map((each) => ({
      ...each,
      name: name === '*' ? each.name : `${name}.${each.name}`,
      isType: isType || each.isType,
    }));
  });
}

/** Where what a file may only re-export is declared. */
export function declarationPlace(files: Files, place: Place): Place {
  const [file, name] = place.split('#') as [string, string];
  const source = files.get(file);
  if (!source || source.declared.has(name)) return place;
  return exportsOf(files, file).find((each) => each.name === name)?.place ?? place;
}
