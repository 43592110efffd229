// guide.ts: a step of `npm run build`: the Markdown of docs/ and the doc comments of the entries as pages beside the benchmark's.
//
// The folder to write is the argument; dist/page/guide if there is none. The declarations must have been built.
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { writeOutput } from '../src/files/outputFile.ts';
import { apiReference } from './guide/apiReference.ts';
import { referencePages, writtenPages } from './guide/pages.ts';
import { site } from './guide/site.ts';
import { ROOT } from './resultFiles.ts';
import { runScript } from './runScript.ts';

await runScript(async () => {
  const folder = resolve(ROOT, process.argv[2] ?? 'dist/page/guide');
  const files = site([...writtenPages(), ...referencePages(await apiReference())]);
  rmSync(folder, { recursive: true, force: true });
  for (const [path, content] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    await writeOutput(join(folder, path), [content]);
  }
  process.stdout.write(`${folder}: ${files.size} files\n`);
});
