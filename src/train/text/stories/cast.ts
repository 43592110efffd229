// cast.ts: who and what a story is about, drawn once, so that all its sentences agree: persons and pronouns, numbers, articles, places, weather.
import { pick } from './grammar.ts';
import {
  ANIMALS,
  BOYS,
  BUILDINGS,
  COUNTS,
  FRUITS,
  GIRLS,
  LOOKS,
  MEN,
  PLACES,
  THINGS,
  TRAITS,
  WEATHERS,
  WOMEN,
  withArticle,
} from './words.ts';

/** The words of a story by the symbols of its rules. */
export function drawCast(next: () => number): ReadonlyMap<string, string> {
  const words = new Map<string, string>();
  const isGirl = next() < 0.5;
  const names = [isGirl ? GIRLS : BOYS, next() < 0.5 ? GIRLS : BOYS] as const;
  const hero = pick(names[0], next);
  const others = names[1].filter((name) => name !== hero);
  addPerson(words, 'hero', hero, isGirl);
  addPerson(words, 'friend', pick(others, next), names[1] === GIRLS);
  words.set('hero.kind', withArticle(`${pick(TRAITS, next)} ${isGirl ? 'girl' : 'boy'}`));
  const isWoman = next() < 0.5;
  addPerson(words, 'elder', `${words.get('hero.his')} ${pick(isWoman ? WOMEN : MEN, next)}`, isWoman);
  addThing(words, next);
  addCounts(words, next);
  addFields(words, 'place', ['at', 'the', 'mark', 'hidden'], pick(PLACES, next));
  addFields(words, 'animal', ['one', 'many', 'food', 'home', 'did'], pick(ANIMALS, next));
  words.set('animal.a', withArticle(words.get('animal.one')!));
  addFields(words, 'weather', ['day', 'now', 'take', 'feel', 'end'], pick(WEATHERS, next));
  words.set('weather.a', withArticle(words.get('weather.day')!));
  addFields(words, 'built', ['a', 'of', 'for'], pick(BUILDINGS, next));
  words.set('built.the', words.get('built.a')!.replace(/^an? /, 'the '));
  return words;
}

function addPerson(words: Map<string, string>, symbol: string, name: string, isFemale: boolean): void {
  words.set(symbol, name);
  addFields(words, symbol, ['he', 'him', 'his'], isFemale ? ['she', 'her', 'her'] : ['he', 'him', 'his']);
}

/** A thing or several: nouns, verbs and pronouns of one number. */
function addThing(words: Map<string, string>, next: () => number): void {
  const [one, many, use] = pick(THINGS, next) as [string, string, string];
  const look = pick(LOOKS, next);
  const isOne = next() < 0.6;
  const count = pick(COUNTS.slice(2, 6), next);
  const names = ['short', 'noun', 'a', 'it', 'them', 'was', 'is', 'this', 'belongs', 'use'];
  const fields = isOne
    ? [one, `${look} ${one}`, withArticle(`${look} ${one}`), 'it', 'it', 'was', 'is', 'this', 'belongs', use]
    : [
        many,
        `${look} ${many}`,
        `${count} ${look} ${many}`,
        'they',
        'them',
        'were',
        'are',
        'these',
        'belong',
        use,
      ];
  addFields(words, 'thing', names, fields);
}

/** Fruits that are counted, given away and left. */
function addCounts(words: Map<string, string>, next: () => number): void {
  const [one, many] = pick(FRUITS, next) as [string, string];
  const all = 2 + Math.floor(next() * (COUNTS.length - 2));
  const given = 1 + Math.floor(next() * all);
  const rest = all - given;
  const named = (count: number) => `${COUNTS[count]!} ${count === 1 ? one : many}`;
  const counted = COUNTS.slice(1, all + 1).join(', ');
  const names = ['many', 'all', 'given', 'rest', 'was', 'counted'];
  addFields(words, 'fruit', names, [
    many,
    named(all),
    named(given),
    named(rest),
    rest === 1 ? 'was' : 'were',
    counted,
  ]);
}

function addFields(
  words: Map<string, string>,
  symbol: string,
  names: readonly string[],
  fields: readonly string[],
): void {
  for (const [i, name] of names.entries()) words.set(`${symbol}.${name}`, fields[i]!);
}
