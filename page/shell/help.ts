// help.ts: the notices of a page that has no WebGPU to measure with, or only a software renderer.
import { el } from './dom.ts';
import { type Why, helpOf, softwareText } from './advice.ts';

/** Says why nothing can run here and what to do about it. */
export function helpNotice(why: Why): HTMLElement {
  const { title, text, steps } = helpOf(why, navigator.userAgent);
  return el(
    'div',
    { class: 'notice bad', role: 'alert' },
    el('strong', {}, title),
    el('p', {}, text),
    el('ul', {}, ...steps.map((step) => el('li', {}, step))),
    el(
      'p',
      {},
      'The command line works without a browser; in a clone of the repository: ',
      el('code', {}, 'npm ci && npm run bench'),
      '.',
    ),
  );
}

/** What a software adapter means for the numbers, and how to get the real GPU. */
export function softwareNotice(): HTMLElement {
  return el(
    'div',
    { class: 'notice' },
    el('strong', {}, 'This is a software renderer: you are timing a CPU, not a GPU.'),
    el('p', {}, softwareText(navigator.userAgent)),
  );
}
