// declarations.ts: a step of `npm run build`: the declarations name all that they use of WebGPU and of newer libraries.
//
// The folder of the declarations is the argument; dist/types if there is none.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { completed } from './completeTypes.ts';
import { ROOT } from './resultFiles.ts';
import { runScript } from './runScript.ts';

const WEBGPU = join('device', 'webgpu.d.ts');

await runScript(() => {
  const folder = resolve(ROOT, process.argv[2] ?? 'dist/types');
  const known = new Set(readFileSync(join(folder, WEBGPU), 'utf8').match(/(?<=^export type )\w+/gm));
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.d.ts') || file === WEBGPU) continue;
    const way = relative(dirname(file), join('device', 'webgpu.ts')).replaceAll(sep, '/');
    const path = join(folder, file);
    writeFileSync(path, completed(readFileSync(path, 'utf8'), way.startsWith('.') ? way : `./${way}`, known));
  }
});
