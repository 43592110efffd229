// axe.ts: what axe-core finds wrong with a page for people who use it by keyboard or by screen reader.
import axe, { type AxeResults } from 'axe-core';
import type { Tab } from './tab.ts';

/** Serious and critical faults of what a tab shows, each as `rule: selectors`. */
export async function seriousFaults(tab: Tab): Promise<string[]> {
  // Run by the driver: the page's policy lets no script in.
  // oxlint-disable-next-line no-new-func, typescript/no-implied-eval
  await tab.evaluate(new Function(axe.source) as () => void);
  const { violations } = await tab.evaluate((): Promise<AxeResults> =>
    (globalThis as unknown as { axe: typeof axe }).axe.run(document, { resultTypes: ['violations'] }),
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}
