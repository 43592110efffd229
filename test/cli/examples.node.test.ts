// examples.node.test.ts: every example of a help text, of the README and of docs/ is run, with small budgets.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseFlags, shapesOf } from '../../bench/peers/options.ts';
import packageJson from '../../package.json';
import { codeBlocks } from '../../scripts/codeBlocks.ts';
import readme from '../../README.md?raw';
import { writeExampleFiles } from '../support/exampleFiles.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { interruptAt, interruptWhenListening } from '../support/interruptAt.ts';

/** The lines of a help text's examples, each without what stands behind it. */
function examplesIn(help: string): string[] {
  const text = help.replaceAll(/ \\\n\s+/g, ' ');
  const lines = text.split('\n').filter((line) => /^ {2}(gqa|npm run) ?/.test(line));
  return lines.map((line) => line.trim().split(/ {2,}/)[0]!);
}

const main = (await gqaMain('--help')).out;
const commands = [...main.matchAll(/^ {2}(\w+) \[/gm)]
  .map(([, name]) => name!)
  .filter((name) => name !== 'help');
const helps = await Promise.all(commands.map(async (name) => (await gqaMain(name, '--help')).out));
const inHelp = [main, ...helps].flatMap(examplesIn);

/** The lines of a Markdown file's `sh` blocks, each without its comment. */
function commandsIn(markdown: string): string[] {
  const lines = codeBlocks(markdown, 'sh').flatMap((block) => block.trim().split('\n'));
  return lines.map((line) => line.split(' #')[0]!.trim());
}

const inReadme = commandsIn(readme);
const docs = import.meta.glob<string>('../../docs/*.md', { query: '?raw', import: 'default', eager: true });
const inDocs = Object.values(docs).flatMap(commandsIn);

const SWIFT = ['--adapter', 'swiftshader'];

// What makes a command short. Options given twice: the last one holds, and the one before it is read all the same.
const SMALL: Readonly<Record<string, readonly string[]>> = {
  // Two query heads: their shaders compile fastest.
  bench: ['-r', '1', '--heads', '2', '--head-dim', '64', '--kv-heads', '1', '-d', '64'],
  // A preset of hundreds of megabytes: another model in its place.
  'bench --whole': ['--whole', './smollm', '-r', '1', '--kv-heads', '1', '-d', '8'],
  tune: ['--kv-heads', '32', '-d', '40'],
  serve: ['--port', '0', '--no-open'],
  // One variant, on the machine's own adapter: what one example has compiled, the driver keeps for the next.
  generate: ['-n', '4', '--kv-heads', '1'],
  perplexity: ['--kv-heads', '1'],
  // The embedded one compiles faster what no other example has.
  'check --model': [...SWIFT, '-n', '2', '--kv-heads', '1'],
  train: [...SWIFT, '--steps', '2', '--windows', '4'],
  uptrain: [...SWIFT, '--base-steps', '20', '--windows', '4'],
};
/** What else an option takes in place of its list: a row for each of its values has shaders of its own. */
const FEWER: Readonly<Record<string, readonly string[]>> = {
  '-ctk': ['-ctk', 'int4'],
  '--page-size': ['--page-size', '16'],
  '--window': ['--window', '16'],
  '-p': ['-p', '16'],
};
/** Commands that search or check for minutes: Ctrl-C when they show this ends them after they have begun. */
const CUT: Readonly<Record<string, string>> = { tune: 'slots', check: '2 of ', reproduce: ', loss' };

let before: string;
let folder: string;

beforeEach(() => {
  before = process.cwd();
  folder = mkdtempSync(join(tmpdir(), 'gqa-examples-'));
  process.chdir(folder);
  vi.stubEnv('GQA_TUNING', join(folder, 'tuning.json'));
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = undefined;
});

test('there are examples of every command but doctor, which needs none', () => {
  const named = new Set(inHelp.map((line) => line.split(' ')[1] ?? 'bench'));
  expect([...named].toSorted()).toEqual([...commands].toSorted());
  expect(inReadme.length).toBeGreaterThan(3);
  expect(inDocs.length).toBeGreaterThan(10);
});

const gqaExamples = [
  ...new Set([...inHelp, ...inReadme, ...inDocs].filter((line) => line.startsWith('gqa'))),
];

test.each(gqaExamples)('%s', { timeout: 120_000 }, async (line) => {
  await writeExampleFiles();
  const words = line
    .replace(/ > \S+$/, '')
    .split(' ')
    .slice(1)
    .map((word) => word.replace(/^'(.*)'$/, '$1')); // quoted from a shell's patterns
  const [first = 'bench'] = words;
  const kind = ['--model', '--whole'].find((option) => words.includes(option));
  const command = kind === undefined ? first : `${first} ${kind}`;
  const cut = CUT[command];
  if (cut) interruptAt(cut);
  if (command === 'serve') void interruptWhenListening();
  const fewer = first === 'bench' ? words.flatMap((word) => FEWER[word] ?? []) : [];
  const small = [...(SMALL[command] ?? []), ...fewer];
  const { out, err, code } = await gqaMain(...words, ...small);
  // What these two keep, they keep in the end alone.
  const hasNothing = ['tune', 'reproduce'].includes(command);
  expect(err.match(/^error: .*/gm) ?? []).toEqual(hasNothing ? ['error: interrupted (SIGINT)'] : []);
  expect(code ?? 0).toBe(cut ? 130 : 0);
  if (!hasNothing) expect(out).not.toBe('');
});

describe('of npm', () => {
  test.each([...inReadme, ...inDocs].filter((line) => line.startsWith('npm')))(
    '%s: scripts that there are',
    (line) => {
      for (const part of line.split('&&').map((each) => each.trim())) {
        const [, script] = /^npm (?:run )?(\w+)/.exec(part)!;
        const known = part.startsWith('npm run') ? Object.keys(packageJson.scripts) : ['ci', 'cit'];
        expect(known).toContain(script);
      }
    },
  );

  test('those of bench:peers are options that it knows', () => {
    const source = readFileSync(new URL('../../bench/peers/options.ts', import.meta.url), 'utf8');
    const lines = examplesIn(source).filter((line) => line.startsWith('npm run bench:peers'));
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) {
      const words = line.replaceAll(/[`;]/g, '').split(' ').slice(4);
      const flags = parseFlags(words.filter((word) => word !== '--no-install')); // the starter's own
      expect(shapesOf(flags).length).toBeGreaterThan(0);
    }
  });
});
