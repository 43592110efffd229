// commandLines.node.test.ts: no command line that people copy has a pattern that is not quoted: zsh refuses to run it.
import { describe, expect, test } from 'vitest';
import { createProgram } from '../cli/main.ts';
import { helpCommands, markdownCommands, sourceCommands, unquotedPatterns } from './support/commandLines.ts';
import { gqaMain } from './support/gqaMain.ts';

const texts = (found: Record<string, string>): [string, string][] => Object.entries(found);

const pages = texts(
  import.meta.glob<string>(
    ['../*.md', '../docs/**/*.md', '../bench/**/*.md', '../shaders/*.md', '!**/node_modules/**'],
    {
      query: '?raw',
      import: 'default',
      eager: true,
    },
  ),
);
const sources = texts(
  import.meta.glob<string>(
    ['../page/**/*.{ts,html}', '../{bench,cli,src}/**/*.ts', '!../bench/peers/node_modules/**'],
    {
      query: '?raw',
      import: 'default',
      eager: true,
    },
  ),
);

const bad = (lines: readonly string[]) => lines.filter((line) => unquotedPatterns(line).length > 0);

test.each(pages)('%s', (_, markdown) => {
  expect(bad(markdownCommands(markdown))).toEqual([]);
});

test.each(['', ...createProgram().commands.map((command) => command.name())])(
  'gqa %s --help',
  async (name) => {
    const { out } = await gqaMain(...(name === '' ? [] : [name]), '--help');
    expect(bad(helpCommands(out))).toEqual([]);
    // The quotes that an example needs stand in what the options say, too.
    for (const [example] of out.matchAll(/\S*\d+[-*]\d*\S*\*\d+\S*/g)) expect(example).toMatch(/^'.*'/);
  },
);

test('texts in the page and in messages', () => {
  expect(bad(sources.flatMap(([, source]) => sourceCommands(source)))).toEqual([]);
});

describe('the check finds what it looks for', () => {
  test('commands in each kind of text', () => {
    const markdown =
      'Run `gqa kv x` or `-d 4k`, not `[B, T]`.\n```sh\nnpm cit # all\n```\n```ts\na[0]\n```\n';
    expect(markdownCommands(markdown)).toEqual(['npm cit # all', 'gqa kv x', '-d 4k']);
    expect(
      helpCommands('Examples:\n  gqa kv a   what\n  ~/.zshrc   source <(gqa x)\n  gqa b \\\n    -c\n'),
    ).toEqual(['gqa kv a', 'source <(gqa x)', 'gqa b -c']);
    expect(sourceCommands("el('code', {}, 'npm ci'); say(\"gqa is 'here'\"); x('other');")).toEqual([
      'npm ci',
      "gqa is 'here'",
    ]);
    expect(markdownCommands(pages.find(([path]) => path.endsWith('README.md'))![1]).length).toBeGreaterThan(
      12,
    );
    expect(sources.flatMap(([, source]) => sourceCommands(source))).toContain('npm ci && npm run bench');
  });

  test.each([
    ['gqa kv -d 1024-65536*4', ['1024-65536*4']],
    ["gqa kv -d '1024-65536*4' --list", []],
    ['gqa kv -d 1k-64k\\*4', []],
    ['gqa kv a?b [x] --map=q{layer} ~x --y=~z hi!', ['a?b', '[x]', '--map=q{layer}', '~x', '--y=~z', 'hi!']],
    ['gqa kv "a!" "b*"', ['!']],
    ['gqa kv ~/model # why? * [x]', []],
    ['gqa kv ${MODEL}', []],
    ['gqa() { node ~/x.mjs "$@"; }', []],
  ])('%s', (line, words) => {
    expect(unquotedPatterns(line)).toEqual(words);
  });
});
