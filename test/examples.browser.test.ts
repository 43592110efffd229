// examples.browser.test.ts: the programs of examples/ that need nothing of Node, in a browser: with its GPU object they run as they are.
import { afterEach, expect, test, vi } from 'vitest';
import { ANYWHERE } from './support/examples.ts';

vi.mock('../examples/gpu.mjs', () => ({ gpu: navigator.gpu }));
afterEach(() => vi.restoreAllMocks());

const programs = import.meta.glob('../examples/{borrowDevice,ownEncoder,ownBuffers}.mjs');

test.each(ANYWHERE)('$name', async ({ name, prints }) => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await programs[`../examples/${name}.mjs`]!();
  expect(log.mock.calls.map(([line]) => `${line}\n`).join('')).toMatch(prints);
});
