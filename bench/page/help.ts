// help.ts: what to do when there is no WebGPU to measure with, or only a software renderer.
import type { Gpu } from './browser.ts';
import { el } from './dom.ts';

type Why = Extract<Gpu, { kind: 'none' }>['why'];

const BROWSERS = [
  'Chrome and Edge 113 or later on Windows, macOS and ChromeOS; 121 or later on Android',
  'Chrome on Linux: 144 or later with Intel graphics (Gen12 on), 147 or later with NVIDIA; otherwise started with --enable-unsafe-webgpu --enable-features=Vulkan',
  'Safari 26 or later on macOS, iPadOS and iOS',
  'Firefox 141 or later on Windows, 145 or later on macOS with Apple silicon',
];

const ADAPTER_STEPS = [
  'Open chrome://gpu (Firefox: about:support) and see whether WebGPU is listed as disabled, and why.',
  'Switch on “Use graphics acceleration when available” in the browser’s system settings and restart it.',
  'Update the graphics driver: old ones are blocked.',
  'On Linux, start Chrome with --enable-unsafe-webgpu --enable-features=Vulkan, or set chrome://flags/#enable-unsafe-webgpu.',
  'On a machine without a GPU, --enable-unsafe-webgpu gives a software renderer: it works, but times a CPU.',
];

const HELP: Readonly<Record<Why, { title: string; text: string; steps: readonly string[] }>> = {
  insecure: {
    title: 'This page needs a secure address',
    text: 'Browsers offer WebGPU to https:// pages and to http://localhost only.',
    steps: ['Open the page by https://, or serve it on this machine and open it as http://localhost.'],
  },
  'no-webgpu': {
    title: 'This browser has no WebGPU',
    text: 'It is too old, or WebGPU is switched off. These have it:',
    steps: BROWSERS,
  },
  'no-adapter': {
    title: 'This browser has WebGPU, but no adapter for it',
    text: 'It found no GPU that it is willing to use. What usually helps:',
    steps: ADAPTER_STEPS,
  },
};

/** Says why nothing can run here and what to do about it. */
export function helpNotice(why: Why): HTMLElement {
  const { title, text, steps } = HELP[why];
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
    el(
      'p',
      {},
      'Times and their ratios describe this CPU. If this machine has a GPU, switch on graphics ' +
        'acceleration in the browser’s settings, and on Linux start Chrome with --enable-features=Vulkan; chrome://gpu says more.',
    ),
  );
}
