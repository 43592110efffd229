// publicTypes.ts: which types an entry's declarations use, and which of those it does not export.
import {
  declarationPlace,
  exportsOf,
  readDeclarations,
  type Declarations,
  type Place,
} from '../../scripts/declarationFiles.ts';

/** Types that the declarations of entries name, at any depth, and that no entry exports: `file#Name`. */
export function hiddenTypes(declarations: Declarations, entries: readonly string[]): Place[] {
  const files = readDeclarations(declarations);
  const open = new Set(entries.flatMap((path) => exportsOf(files, path).map(({ place }) => place)));
  const hidden = new Set<Place>();
  for (const place of open) {
    const [path, name] = place.split('#') as [string, string];
    const { declared, imported } = files.get(path)!;
    for (const [word] of (declared.get(name) ?? '').matchAll(/\b[A-Za-z_]\w*\b/g)) {
      const local: Place | undefined = declared.has(word) ? `${path}#${word}` : undefined;
      const used = imported.get(word) ?? local;
      if (used === undefined) continue;
      const at = declarationPlace(files, used);
      if (!open.has(at)) hidden.add(at);
    }
  }
  return [...hidden];
}
