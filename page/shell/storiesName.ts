// storiesName.ts: names of the project's own checkpoint.

/** What messages and results call it. */
export const STORIES = 'stories';

/** Where it lies in the repository and in the package, for commands. */
export const STORIES_PATH = 'models/stories';
