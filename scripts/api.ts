// api.ts: `npm run api`: writes what each entry of the package exports into api/, from the declarations in dist/types.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiReport, reportPath } from './apiReport.ts';
import { ENTRIES } from './entries.ts';
import { ROOT } from './resultFiles.ts';
import { runScript } from './runScript.ts';

await runScript(() => {
  const folder = join(ROOT, 'dist/types');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.d.ts'),
  );
  const texts = new Map(
    files.map((file) => [file.replaceAll('\\', '/'), readFileSync(join(folder, file), 'utf8')]),
  );
  rmSync(join(ROOT, 'api'), { recursive: true, force: true });
  mkdirSync(join(ROOT, 'api'));
  for (const [entry, imported] of ENTRIES)
    writeFileSync(join(ROOT, reportPath(entry)), apiReport(texts, entry, imported));
});
