// entries.ts: the entries of the package, by the names of their files: dist/node.js is built from src/node.ts.
import { basename } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };

const { exports, name } = packageJson;

/** What an entry is imported as, by the name of its file: `node` is `gqa-webgpu/node`. */
export const ENTRIES: ReadonlyMap<string, string> = new Map(
  Object.entries(exports).flatMap(([path, targets]) =>
    typeof targets === 'string'
      ? []
      : [[basename(targets.default, '.js'), path.replace(/^\./, name)] as const],
  ),
);
