// generatedText.ts: English-like stories from a seed, to train on where there is no text.
import { checkWhole } from '../../device/options.ts';
import { uniform } from '../../numbers/random.ts';
import { drawCast } from './stories/cast.ts';
import { produce } from './stories/grammar.ts';
import { STORY_RULES } from './stories/rules.ts';

/** The stories that commands learn where they are given no text; whichever seed a training has, they are the same. */
export const STORIES = { seed: 1, characters: 1_000_000 } as const;

/**
 * The first `characters` characters of a seed's stories, with an empty line between two; the last story may end amid a word. The same everywhere.
 * `seed`: 0 to 2^32 - 1. Throws ShapeError for other numbers.
 */
export function generatedText(seed: number, characters: number): string {
  checkWhole('seed', seed, 0, 2 ** 32 - 1);
  checkWhole('characters', characters, 1, MAX_CHARACTERS);
  const next = uniform(seed);
  const stories: string[] = [];
  for (let length = 0; length < characters;) {
    const story = `${produce(STORY_RULES, drawCast(next), 'story', next)}\n\n`;
    stories.push(story);
    length += story.length;
  }
  return stories.join('').slice(0, characters);
}

/** What all engines hold in one text. */
const MAX_CHARACTERS = 2 ** 28;
