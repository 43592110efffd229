// apiReport.ts: what an entry of the package exports, as one text: declarations sorted by name, without comments.
import {
  exportsOf,
  readDeclarations,
  type Declarations,
  type DeclarationFile,
  type Exported,
} from './declarationFiles.ts';

/** The command that writes the reports anew. */
export const RENEW = 'npm run api';

/** The report's path from the root of the repository. */
export function reportPath(entry: string): string {
  return `api/${entry}.d.ts.txt`;
}

/**
 * The report of an entry.
 * @param entry name of its file: `node` for node.d.ts
 * @param imported what it is imported as
 */
export function apiReport(declarations: Declarations, entry: string, imported: string): string {
  const files = readDeclarations(declarations);
  const exported = exportsOf(files, `${entry}.d.ts`).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const head = `// ${imported}: all that it exports, sorted by name. Written by \`${RENEW}\` from the declarations.`;
  return `${[head, ...exported.map((each) => declarationOf(files, each))].join('\n\n')}\n`;
}

const VALUE = /^(abstract )?(class|const|function) /m;

function declarationOf(
  files: ReadonlyMap<string, DeclarationFile>,
  { name, place, isType }: Exported,
): string {
  const [path, declared] = place.split('#') as [string, string];
  const text = files.get(path)!.declared.get(declared)!;
  const code = text
    .replaceAll(/^export (declare )?|^declare /gm, '')
    .replaceAll(/^ +#private;\n/gm, '')
    .trimEnd();
  const marks = [
    ...(name === declared ? [] : [`// as ${name}\n`]),
    ...(isType && VALUE.test(code) ? ['// as a type alone\n'] : []),
  ];
  return marks.join('') + code;
}
