// builtPage.ts: the folder that the built page lies in: of an installed package, or of a clone, where it is built when it has to be.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GqaError } from '../../device/errors.ts';

const HERE = fileURLToPath(import.meta.url);

/** Folders of a clone that the page is made of. */
const SOURCES = ['page', 'bench', 'src', 'shaders'];

/**
 * The folder of the built page. In a clone a page that is older than its source is built first, so that what a browser runs
 * is what Node runs; `say` is told. Throws GqaError `page` where there is none.
 */
export function builtPage(say: (line: string) => void): string {
  if (!HERE.endsWith('.ts')) return existing(join(dirname(HERE), 'page'));
  const clone = join(dirname(HERE), '../../..');
  const folder = join(clone, 'dist/page');
  if (builtAt(folder) < Math.max(...SOURCES.map((name) => changedAt(join(clone, name))))) {
    say('note     building the page, which is older than its source (npm run build:page)');
    build(clone);
  }
  return existing(folder);
}

function existing(folder: string): string {
  if (existsSync(join(folder, 'index.html'))) return folder;
  throw new GqaError('page', `${folder}: expected the built page, found none (npm run build:page)`);
}

function builtAt(folder: string): number {
  return statSync(join(folder, 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** When the newest of a folder's files was written. */
function changedAt(folder: string): number {
  const times = readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules')
    .map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? changedAt(path) : statSync(path).mtimeMs;
    });
  return Math.max(0, ...times);
}

function build(clone: string): void {
  const shell = process.platform === 'win32';
  const done = spawnSync('npm', ['run', '--silent', 'build:page'], { cwd: clone, shell, encoding: 'utf8' });
  if (done.status === 0) return;
  const why = done.error?.message ?? `${done.stdout}${done.stderr}`.trim();
  throw new GqaError('page', `npm run build:page failed: ${why}`);
}
