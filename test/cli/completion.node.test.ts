// completion.node.test.ts: `gqa completion`: what bash, zsh and fish themselves offer with its scripts.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bashScript } from '../../cli/completion/bash.ts';
import { fishScript } from '../../cli/completion/fish.ts';
import { type Tree, readTree } from '../../cli/completion/tree.ts';
import { zshScript } from '../../cli/completion/zsh.ts';
import { createProgram } from '../../cli/main.ts';
import { PRESETS } from '../../src/models/presets.ts';
import { completions, fishLines, hasShell, zshList, type Place, type Shell } from '../support/completions.ts';
import { gqaMain } from '../support/gqaMain.ts';

const folder = mkdtempSync(join(tmpdir(), 'gqa-completion-'));
const cwd = join(folder, 'here');
const placeOf = (shell: Shell): Place => ({ script: join(folder, shell), cwd });

beforeAll(async () => {
  for (const name of ['model', 'my dir']) mkdirSync(join(cwd, name), { recursive: true });
  for (const name of ['a.json', "b's [x].json"]) writeFileSync(join(cwd, name), '');
  for (const shell of ['bash', 'zsh', 'fish'])
    writeFileSync(join(folder, shell), (await gqaMain('completion', shell)).out);
});
afterAll(() => rmSync(folder, { recursive: true }));

const COMMANDS = [
  'attend',
  'bench',
  'check',
  'compare',
  'completion',
  'convert',
  'doctor',
  'generate',
  'help',
  'kv',
  'perplexity',
  'train',
  'uptrain',
  'reproduce',
  'serve',
  'tune',
];
const PATHS = ['a.json', "b's [x].json", 'model', 'my dir'];
const FOLDERS = ['model', 'my dir'];

/** What stands on the line, and what all shells offer there. */
const CASES: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['gqa ', COMMANDS],
  ['gqa b', ['bench']],
  ['gqa help c', ['check', 'compare', 'completion', 'convert']],
  ['gqa completion ', ['bash', 'fish', 'zsh']],
  ['gqa kv llama-3.1', ['llama-3.1-405b', 'llama-3.1-70b', 'llama-3.1-8b']],
  ['gqa kv mode', ['model']],
  ['gqa tune -m qwen3-4', ['qwen3-4b']],
  ['gqa --model gpt-oss-2', ['gpt-oss-20b']],
  ['gqa kv -o ', ['json', 'md']],
  ['gqa kv --output=', ['json', 'md']],
  ['gqa bench -o c', ['csv']],
  ['gqa -o js', ['json', 'jsonl']],
  ['gqa attend --kv-dtype i', ['int4', 'int8']],
  ['gqa attend --kernel=r', ['registers']],
  ['gqa attend --causal f', ['first-key']],
  ['gqa --kernel registers,ti', ['registers,tiles']],
  ['gqa bench -ctk f16,b', ['f16,bf16']],
  ['gqa bench --cache=h', ['hot']],
  ['gqa kv -d ', []],
  ['gqa kv --batch=', []],
  ['gqa doctor --adapter s', ['swiftshader']],
  ['gqa attend ', PATHS],
  ['gqa attend --out ', PATHS],
  ['gqa compare a.json b', ["b's [x].json"]],
  ['gqa convert ', FOLDERS],
  ['gqa convert x --out ', FOLDERS],
  ['gqa convert x --out=', FOLDERS],
  ['gqa convert x --map q={layer} --ma', ['--map']],
  ['gqa convert x --report --report-l', ['--report-layers']],
  ['gqa nosuch ', []],
];

describe.each(['bash', 'zsh', 'fish'] as const)('%s', (shell) => {
  test('offers commands, options, choices, presets, files and folders', { timeout: 180_000 }, ({ skip }) => {
    skip(!hasShell(shell), `${shell} is not installed here`);
    const lines = CASES.map(([line]) => line);
    const found = completions(shell, placeOf(shell), lines);
    expect(lines.map((line, i) => [line, found[i]])).toEqual(
      CASES.map(([line, words]) => [line, words.toSorted()]),
    );
  });

  test('offers every long option of every command', { timeout: 180_000 }, ({ skip }) => {
    skip(!hasShell(shell), `${shell} is not installed here`);
    const { root, commands } = readTree(createProgram());
    const wanted = [root, ...commands].map(({ name, options }) => {
      const long = options.flatMap(({ flags }) => flags.filter((flag) => flag.startsWith('--')));
      return [name === '' ? 'gqa --' : `gqa ${name} --`, long.toSorted()] as const;
    });
    const lines = wanted.map(([line]) => line);
    const found = completions(shell, placeOf(shell), lines);
    expect(lines.map((line, i) => [line, found[i]])).toEqual(wanted);
  });
});

const AWKWARD = `a: 'b' "c" [d] \\e $(echo no) \`f\` {g,h} * ~ ! %s; (i) é`;

/** A tree whose descriptions have all that shells take for their own. */
const awkward: Tree = {
  root: { name: '', description: '', options: [], args: [] },
  commands: [
    {
      name: 'kv',
      description: AWKWARD,
      args: [{ name: 'a:b', values: {}, required: true, variadic: false }],
      options: [
        {
          flags: ['-x', '--one'],
          description: AWKWARD,
          value: { name: 'a:b [c]', values: { words: ['w'] } },
        },
        { flags: ['--only'], description: `only ${AWKWARD}` },
      ],
    },
    { name: 'other', description: 'another', args: [], options: [] },
  ],
};

describe('descriptions come out as they are, whatever stands in them', () => {
  test('bash shows none', ({ skip }) => {
    skip(!hasShell('bash'), 'bash is not installed here');
    const script = join(folder, 'awkward.bash');
    writeFileSync(script, bashScript(awkward));
    expect(completions('bash', { script, cwd }, ['gqa kv --o'])).toEqual([['--one', '--only']]);
  });

  test('zsh', { timeout: 60_000 }, ({ skip }) => {
    skip(!hasShell('zsh'), 'zsh is not installed here');
    const script = join(folder, 'awkward.zsh');
    writeFileSync(script, zshScript(awkward));
    expect(zshList({ script, cwd }, 'gqa ')).toContain(`kv     -- ${AWKWARD}`);
    const options = zshList({ script, cwd }, 'gqa kv --');
    expect(options).toContain(`--one   -- ${AWKWARD}`);
    expect(options).toContain(`--only  -- only ${AWKWARD}`);
    expect(completions('zsh', { script, cwd }, ['gqa kv --one '])).toEqual([['w']]);
  });

  test('fish', ({ skip }) => {
    skip(!hasShell('fish'), 'fish is not installed here');
    const script = join(folder, 'awkward.fish');
    writeFileSync(script, fishScript(awkward));
    expect(fishLines({ script, cwd }, 'gqa ')).toContain(`kv\t${AWKWARD}`);
    expect(fishLines({ script, cwd }, 'gqa kv --on')).toEqual([
      `--one\t${AWKWARD}`,
      `--only\tonly ${AWKWARD}`,
    ]);
  });
});

describe('the command', () => {
  test.each([
    [['tcsh'], "value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish."],
    [[], "error: missing required argument 'shell'"],
  ])('%j: exit code 1', async (args, message) => {
    const { out, err, code } = await gqaMain('completion', ...args);
    expect(err).toContain(message);
    expect([out, code]).toEqual(['', 1]);
  });

  test('the help has a line for each shell, and says what it is bound to', async () => {
    const { out } = await gqaMain('completion', '--help');
    for (const line of [
      'eval "$(gqa completion bash)"',
      'source <(gqa completion zsh)',
      'gqa completion fish | source',
    ])
      expect(out).toContain(line);
    expect(out).toContain('a command of the name gqa, not "npx gqa" nor "node bin/gqa.mjs"');
  });

  test('every preset is a plain word', () => {
    for (const { name } of PRESETS) expect(name).toMatch(/^[\w./-]+$/);
  });
});

test('what the help hides is not offered', () => {
  const attend = readTree(createProgram()).commands.find(({ name }) => name === 'attend')!;
  expect(attend.options.flatMap(({ flags }) => flags)).not.toContain('-o');
});
