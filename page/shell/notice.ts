// notice.ts: a box that tells a reader something.
import { el } from './dom.ts';

/** A notice; a `bad` one is told at once. */
export function notice(kind: '' | 'bad', title: string, ...rest: readonly Node[]): HTMLElement {
  return el(
    'div',
    { class: `notice ${kind}`, ...(kind === 'bad' && { role: 'alert' }) },
    el('strong', {}, title),
    ...rest,
  );
}
