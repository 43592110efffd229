// setPages.ts: takes the caller's page table, and the lengths that follow from it.
import { ShapeError } from '../device/errors.ts';
import { CallerTables, type CallerPages, type SetPagesOptions } from './callerTables.ts';
import type { CacheParts } from './parts.ts';

export type { CallerPages, SetPagesOptions } from './callerTables.ts';

/** `KvCache.setPages`. */
export function setPages(
  { layout, lengths, tables }: CacheParts,
  table: CallerPages,
  options: SetPagesOptions,
): void {
  if (!(tables instanceof CallerTables)) {
    throw new ShapeError(
      'setPages: expected a cache that was created with a pageSize and pageTables: "caller"',
    );
  }
  const kvLens = tables.set(table, options);
  for (let layer = 0; layer < layout.layers; layer++) lengths.replace(layer, kvLens);
}
