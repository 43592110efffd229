// words.ts: the words of the stories, and rules for those that need not agree with the rest of a story.
import type { Rules } from './grammar.ts';

export const GIRLS = list('Anna Clara Emma Grace Ida Julia Kate Lily Mia Nora Ruth Sara Una Vera Xenia Zoe');
export const BOYS = list('Adam Ben David Felix Hugo Jack Karl Leo Max Oscar Peter Quinn Sam Tom Will Yan');
export const TRAITS = list('brave cheerful clever curious gentle kind lively patient quiet shy');
export const WOMEN = list('aunt cousin grandmother mother sister');
export const MEN = list('brother cousin father grandfather uncle');
export const LOOKS = list(
  'big black blue bright brown clean dark dirty golden great green grey heavy little long new odd old orange pink pretty purple red round shiny silver small tiny white yellow',
);
export const COUNTS = list('no one two three four five six seven eight nine ten eleven twelve');

/** One, many, and what it is for. */
export const THINGS = table(`
  kite, kites, fly
  ball, balls, throw
  drum, drums, play
  flute, flutes, play
  boat, boats, sail
  book, books, read
  bell, bells, ring
  top, tops, spin
  hat, hats, wear
  scarf, scarves, wear
  whistle, whistles, blow
  basket, baskets, carry
  marble, marbles, roll
  apron, aprons, wear
  wheel, wheels, turn`);

/** Where, which place, what stands there, and where a thing may hide there. */
export const PLACES = table(`
  in, the garden, the apple tree, under the leaves
  on, the hill, the grey rock, in the tall grass
  by, the river, the wooden bridge, between the reeds
  at, the market, the fish stall, behind a barrel
  on, the beach, the sand castle, among the shells
  in, the wood, the hollow oak, beneath the ferns
  at, the farm, the red barn, in the hay
  by, the lake, the rowing boat, beside the jetty
  in, the park, the stone fountain, below a bench
  in, the orchard, the old ladder, behind the wall`);

/** One, many, what it eats, where it lives, what it does. */
export const ANIMALS = table(`
  fox, foxes, berries, den, barked
  bird, birds, seeds, nest, sang
  rabbit, rabbits, carrots, burrow, hopped
  mouse, mice, cheese, hole, squeaked
  duck, ducks, bread, pond, quacked
  squirrel, squirrels, nuts, tree, chattered
  cat, cats, fish, basket, purred
  dog, dogs, bones, kennel, wagged its tail
  owl, owls, worms, tower, hooted
  frog, frogs, flies, pool, croaked
  hedgehog, hedgehogs, beetles, hedge, sniffed
  goose, geese, grass, yard, honked`);

export const FRUITS = table(`
  apple, apples
  pear, pears
  plum, plums
  cherry, cherries
  strawberry, strawberries
  orange, oranges
  peach, peaches
  nut, nuts`);

/** Which day it is, what one sees, what to take along, how one feels in it, how it ends. */
export const WEATHERS = table(`
  sunny, the sun was shining, a straw hat, warm, the sun went down behind the roofs
  rainy, it was raining, an umbrella, wet, the rain stopped and the first stars came out
  windy, a strong wind was blowing, a thick coat, tired, the wind grew quiet
  snowy, it was snowing, woollen gloves, cold, the snow lay white in the moonlight
  foggy, there was fog everywhere, a bright lantern, chilly, the fog went away and the moon was there
  cloudy, grey clouds hung in the sky, a warm jacket, sleepy, the clouds turned pink and then dark
  stormy, thunder rolled far away, heavy boots, frightened, the storm was over and all was still
  frosty, there was ice on every branch, two pairs of socks, frozen, the frost drew flowers on the glass`);

/** What can be built, of what, and what for. */
export const BUILDINGS = table(`
  a tree house, planks and nails, to sleep in
  a raft, logs and rope, to cross the water
  a snowman, snow and two coals, to look at
  an oven, bricks and clay, to bake bread in
  a swing, a board and rope, to play on
  a tent, sticks and a sheet, to hide in
  a fence, posts and wire, to keep the goats out
  a bench, a plank and stones, to sit on`);

/** What may be seen by the way: one, many. */
const SIGHTS = table(`
  barrel, barrels
  bee, bees
  bridge, bridges
  bush, bushes
  butterfly, butterflies
  cart, carts
  castle, castles
  cow, cows
  daisy, daisies
  door, doors
  feather, feathers
  flag, flags
  horse, horses
  house, houses
  ladder, ladders
  leaf, leaves
  mushroom, mushrooms
  pony, ponies
  puddle, puddles
  rope, ropes
  rose, roses
  sheep, sheep
  snail, snails
  stone, stones
  stump, stumps
  tower, towers
  tree, trees
  wagon, wagons
  window, windows
  wolf, wolves`);

/** `truth` is a fact about one animal or all of its kind; `look.a` a look with its article; sights have looks of any kind. */
export const FREE_RULES: Rules = new Map([
  [
    'truth',
    ANIMALS.flatMap(([one, many, food, home]) => [
      `${many!} like ${food!}`,
      `${withArticle(one!)} likes ${food!}`,
      `${many!} come out of the ${home!} for ${food!}`,
      `the ${one!} is in its ${home!}`,
    ]),
  ],
  ['look', LOOKS],
  ['look.a', LOOKS.map(withArticle)],
  ['sight.one', SIGHTS.map(([one]) => one!)],
  ['sights', SIGHTS.map(([, many]) => many!)],
]);

/** A noun, or what stands before it, behind `a` or `an`. */
export function withArticle(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

function list(text: string): readonly string[] {
  return text.split(' ');
}

function table(text: string): readonly (readonly string[])[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(', '));
}
