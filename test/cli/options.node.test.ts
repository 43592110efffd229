// options.node.test.ts: an option that several subcommands have means the same in each.
import type { Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../cli/main.ts';

const program = createProgram();

type Use = readonly [command: string, option: Option];

/** Every visible option by long name, with the commands that have it. */
const USES = new Map<string, Use[]>();
for (const command of program.commands) {
  for (const option of command.options.filter(({ hidden }) => !hidden)) {
    const uses = USES.get(option.long!) ?? [];
    USES.set(option.long!, [...uses, [command.name(), option]]);
  }
}

const SHARED = [...USES].filter(([, uses]) => uses.length > 1);

// Where a command has one where others have a list, or a default of its own, by the model or the adapter.
const OWN_DEFAULT = ['--batch', '--context', '--depth', '--kernel', '--max-tokens', '--model', '--size'];
// What a prompt and tokens are is the same everywhere: a benchmark has lengths of them, a model their words, a file of text ids.
const OWN_KIND = ['--prompt', '--tokens'];

describe('an option of several commands', () => {
  it('is there at all', () => {
    expect(SHARED.map(([long]) => long)).toEqual(
      expect.arrayContaining([
        '--output',
        '--depth',
        '--cache-type-k',
        '--cache-type-v',
        '--seed',
        '--batch',
      ]),
    );
  });

  it.each(SHARED)('%s has one letter, one default and one kind of argument', (long, uses) => {
    if (OWN_KIND.includes(long)) return;
    const of = (what: (option: Option) => unknown) => [...new Set(uses.map(([, option]) => what(option)))];
    expect(of(({ short }) => short)).toHaveLength(1);
    const kinds = of(({ flags }) =>
      /<(.*)>/
        .exec(flags)?.[1]
        ?.replace(/^(list|type|name)$/, 'n')
        .replace('folder', 'file'),
    );
    expect(kinds).toHaveLength(1);
    if (OWN_DEFAULT.includes(long)) return;
    expect(of(({ defaultValue }) => String(defaultValue))).toHaveLength(1);
  });

  it('a letter stands for one long name', () => {
    const names = new Map<string, Set<string>>();
    for (const [long, uses] of USES) {
      for (const [, { short }] of uses)
        if (short) names.set(short, new Set([...(names.get(short) ?? []), long]));
    }
    for (const [short, longs] of names) expect([short, longs.size]).toEqual([short, 1]);
    expect([...names.get('-o')!]).toEqual(['--output']);
  });

  it.each(USES.get('--output')!)('-o of %s is a format', (_, { argChoices }) => {
    expect(argChoices).toEqual(expect.arrayContaining(['md', 'json']));
  });

  it.each([...USES.get('--depth')!, ...USES.get('--capacity')!, ...USES.get('--max-model-len')!])(
    '%s: a length may be written with k and M',
    (_, { parseArg, flags }) => {
      const isList = flags.includes('<list>');
      expect(parseArg!('4k', undefined as never)).toEqual(isList ? [4096] : 4096);
      expect(parseArg!('1M', undefined as never)).toEqual(isList ? [1_048_576] : 1_048_576);
      if (isList)
        expect(parseArg!('1k-4K*2,512-1k+256', undefined as never)).toEqual([1024, 2048, 4096, 512, 768]);
      for (const bad of ['4kb', '4.5k', 'k', '-4k', '4 k', '4k-1k'])
        expect(() => parseArg!(bad, undefined as never)).toThrow(
          /expected (a (positive )?whole number|an ascending)/,
        );
    },
  );
});
