// collect.node.test.ts: what nothing refers to is gone after a collection, in the same turn's wake.
import { expect, test } from 'vitest';
import { collectGarbage } from '../../src/node/collect.ts';

test('takes what is unreachable, and leaves what is not', async () => {
  const kept = { here: true };
  const weak = { kept: new WeakRef(kept), gone: new WeakRef({ here: true }) };
  await collectGarbage();
  await collectGarbage();
  expect([weak.kept.deref(), weak.gone.deref()]).toEqual([kept, undefined]);
});
