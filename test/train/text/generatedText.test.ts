// generatedText.test.ts: stories from a seed: the same everywhere, right in their grammar, with something to learn near and far.
import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../../src/device/errors.ts';
import { crc32 } from '../../../src/numbers/crc32.ts';
import { uniform } from '../../../src/numbers/random.ts';
import { generatedText } from '../../../src/train/text/generatedText.ts';
import { drawCast } from '../../../src/train/text/stories/cast.ts';
import { parseRules, produce, symbolsOf } from '../../../src/train/text/stories/grammar.ts';
import { STORY_RULES } from '../../../src/train/text/stories/rules.ts';

const TEXT = generatedText(7, 300_000);
/** Whole ones. */
const STORIES = TEXT.split('\n\n').slice(0, -1);

test('the same on every platform', () => {
  expect(TEXT.slice(0, 60)).toBe('Zoe and the duck\nEverybody knew Zoe, a kind girl with blue h');
  expect(crc32(new TextEncoder().encode(TEXT))).toBe(2386112397);
});

test('as many characters as asked; a shorter text is the beginning of a longer one; another seed has other stories', () => {
  for (const length of [1, 17, 5000]) expect(generatedText(7, length)).toBe(TEXT.slice(0, length));
  const others = new Set(generatedText(8, 100_000).split('\n\n'));
  expect(STORIES.filter((story) => others.has(story))).toEqual([]);
});

test.each([
  [-1, 10, 'seed: expected a whole number from 0 to 4294967295, got -1'],
  [1, 0, 'characters: expected a whole number from 1 to 268435456, got 0'],
  [1, 1.5, 'characters: expected a whole number from 1 to 268435456, got 1.5'],
])('refused: seed %d, %d characters', (seed, characters, expected) => {
  expect(() => generatedText(seed, characters)).toThrow(new ShapeError(expected));
});

describe('the grammar', () => {
  test('every symbol is a rule or a word of the cast, and every one of both is used', () => {
    const cast = drawCast(uniform(1));
    const found = new Set(['story']);
    for (const symbol of found) {
      expect([symbol, STORY_RULES.has(symbol), cast.has(symbol)]).toEqual([
        symbol,
        !cast.has(symbol),
        cast.has(symbol),
      ]);
      for (const text of STORY_RULES.get(symbol) ?? []) for (const next of symbolsOf(text)) found.add(next);
    }
    expect([...found].toSorted()).toEqual([...STORY_RULES.keys(), ...cast.keys()].toSorted());
  });

  test('a symbol is produced anew each time, a word is not, and capitals are put in front', () => {
    const rules = parseRules('a = {B} {b} {c} |\n  {B} {b} {c}\nb = x | y\n');
    const texts = Array.from({ length: 50 }, (_, seed) =>
      produce(rules, new Map([['c', 'word']]), 'a', uniform(seed)),
    );
    expect(new Set(texts)).toEqual(new Set(['X x word', 'X y word', 'Y x word', 'Y y word']));
    expect(() => produce(rules, new Map(), 'a', uniform(1))).toThrow('there is no symbol c');
  });
});

describe('sentences', () => {
  test('there are many stories, of all plots, and none twice', () => {
    expect(STORIES.length).toBeGreaterThan(300);
    expect(new Set(STORIES).size).toBe(STORIES.length);
    const plots = [
      /^The lost/,
      /share$/,
      / and the /,
      / build /,
      / of /,
      /^The race/,
      /^A present/,
      /peace$/,
    ];
    for (const plot of plots) {
      expect(STORIES.filter((story) => plot.test(story.split('\n')[0]!)).length).toBeGreaterThan(20);
    }
  });

  test('all letters and few marks, which stand as they should', () => {
    expect([...new Set(TEXT)].toSorted().join('')).toBe(
      `\n !"',.:?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz`,
    );
    for (const story of STORIES) {
      expect(story).not.toMatch(/ {2}| [,.!?:\n]|\n |[.!?] [a-z]|[,.][,.]/);
      for (const paragraph of story.split('\n').slice(1)) {
        expect(paragraph).toMatch(/^["A-Z].*[.!?]"?$/);
        expect(paragraph.split('"').length % 2).toBe(1);
      }
    }
  });

  test('articles fit the word behind them', () => {
    const articles = [...TEXT.matchAll(/\b(an?) (\w)/gi)];
    expect(articles.length).toBeGreaterThan(1000);
    for (const [phrase, article, letter] of articles) {
      expect([phrase, article!.toLowerCase()]).toEqual([phrase, /[aeiou]/i.test(letter!) ? 'an' : 'a']);
    }
  });

  test('verbs and pronouns have the number of their noun', () => {
    // One of a pair is right for the lost thing, as its title says how many there are.
    const pairs: readonly (readonly [one: RegExp, many: RegExp])[] = [
      [/[Ww]here is my/, /[Ww]here are my/],
      [/"This is mine/, /"These are mine/],
      [/there it was!/, /there they were!/],
      [/"Here it is!"/, /"Here they are!"/],
      [/beside it was the/, /beside it were the/],
      [/We will find it\./, /We will find them\./],
      [/ was gone!/, / were gone!/],
    ];
    const titled = (isMany: boolean) =>
      STORIES.filter(
        (story) => /^The lost \w+s\n/.test(story) === isMany && story.startsWith('The lost'),
      ).join('\n');
    const [ones, many] = [titled(false), titled(true)];
    for (const [one, several] of pairs) {
      expect(ones).toMatch(one);
      expect(ones).not.toMatch(several);
      expect(many).toMatch(several);
      expect(many).not.toMatch(one);
    }
    const animals = [...TEXT.matchAll(/\b(an? )?(\w+) (likes?) \w+[.,"?]/gi)];
    expect(animals.length).toBeGreaterThan(50);
    for (const [phrase, article, , verb] of animals) {
      expect([phrase, verb]).toEqual([phrase, article ? 'likes' : 'like']);
    }
  });

  test('fruits are counted and taken away rightly', () => {
    const value = (word: string | undefined) =>
      'no one two three four five six seven eight nine ten eleven twelve'.split(' ').indexOf(word ?? '');
    const stories = STORIES.filter((story) => /^The \w+ of /.test(story));
    for (const story of stories) {
      const [, , counting, taking] = story.split('\n') as [string, string, string, string];
      const counted = /one(?:, \w+)+/i.exec(counting)![0].toLowerCase().split(', ');
      expect(counted.map(value)).toEqual(counted.map((_, i) => i + 1));
      const given = /(?:gave|took)(?: him| her)? (\w+) \w+/.exec(taking)![1];
      const rest = /(?:Now \w+ had|there was|there were|now I have) (\w+)/.exec(taking)![1];
      expect([taking, value(given) + value(rest)]).toEqual([taking, counted.length]);
      expect(Math.min(value(given), value(rest))).toBeGreaterThanOrEqual(0);
      for (const [phrase, count, noun] of taking.matchAll(
        /(no|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve) (\w+)/g,
      )) {
        expect([phrase, noun!.endsWith('s')]).toEqual([phrase, count !== 'one']);
      }
    }
  });

  test('one who is called a girl or a boy is so in all stories, and is spoken of as such', () => {
    const kinds = new Map<string, string>();
    for (const story of STORIES) {
      const [, kind, name] = /an? \w+ (girl|boy) called (\w+)/.exec(story) ?? [];
      if (kind === undefined) continue;
      expect(kinds.get(name!) ?? kind).toBe(kind);
      kinds.set(name!, kind);
      const habit = /called \w+\. (She|He) /.exec(story)?.[1];
      if (habit !== undefined) expect([name, habit]).toEqual([name, kind === 'girl' ? 'She' : 'He']);
    }
    expect(new Set(kinds.values()).size).toBe(2);
  });
});

/** Nats per character that are left when the `order` characters before are known, by the counts of the text itself. */
function entropyBehind(order: number): number {
  const [whole, before] = [order + 1, order].map((length) => {
    const counts = new Map<string, number>();
    for (let i = 0; i < TEXT.length - order; i++) {
      const key = TEXT.slice(i, i + length);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }) as [Map<string, number>, Map<string, number>];
  let sum = 0;
  for (const [key, count] of whole) sum -= count * Math.log(count / before.get(key.slice(0, order))!);
  return sum / (TEXT.length - order);
}

test('each further character that is known says more', () => {
  const entropies = [0, 1, 2, 4, 8].map(entropyBehind);
  expect(entropies[0]).toBeGreaterThan(3);
  for (let i = 1; i < entropies.length; i++) {
    expect(entropies[i]! / entropies[i - 1]!).toBeLessThan(0.8);
  }
});
