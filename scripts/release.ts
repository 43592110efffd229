// release.ts: `npm run release:prepare -- TAG URL`, before publishing: package.json and the README say where the repository is.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GqaError } from '../src/index.ts';
import { releasedPackage, releasedReadme } from './releaseFiles.ts';
import { ROOT } from './resultFiles.ts';
import { runScript } from './runScript.ts';

await runScript(() => {
  const [tag, url] = process.argv.slice(2);
  if (!tag || !url) throw new GqaError('release', 'expected a tag and the address of the repository');
  for (const [file, change] of [
    ['package.json', releasedPackage],
    ['README.md', releasedReadme],
  ] as const) {
    const path = join(ROOT, file);
    writeFileSync(path, change(readFileSync(path, 'utf8'), tag, url));
  }
});
