// advice.ts: what a person can do about a browser without WebGPU or without a GPU, in that browser's own switches. No DOM.
import { describeBrowser, type Gpu } from './browser.ts';

/** Why there is nothing to measure with. */
export type Why = Extract<Gpu, { kind: 'none' }>['why'];

/** A notice in words. */
export interface Help {
  readonly title: string;
  readonly text: string;
  readonly steps: readonly string[];
}

const FIREFOX_SWITCH =
  'In Firefox elsewhere, on Linux too: open about:config and set dom.webgpu.enabled to true; if there is then no adapter, gfx.webgpu.ignore-blocklist too. Restart it.';

const BROWSERS = [
  'Chrome and Edge 113 or later on Windows, macOS and ChromeOS; 121 or later on Android',
  'Chrome on Linux: 144 or later with Intel graphics (Gen12 on), 147 or later with NVIDIA; otherwise started with --enable-unsafe-webgpu --enable-features=Vulkan',
  'Safari 26 or later on macOS, iPadOS and iOS',
];

const FIREFOX = 'Firefox 141 or later on Windows, 145 or later on macOS with Apple silicon';

const DRIVER = 'Update the graphics driver: old ones are blocked.';

const CHROME_STEPS = [
  'Open chrome://gpu and see whether WebGPU is listed as disabled, and why.',
  'Switch on “Use graphics acceleration when available” in the browser’s system settings and restart it.',
  DRIVER,
  'On Linux, start Chrome with --enable-unsafe-webgpu --enable-features=Vulkan, or set chrome://flags/#enable-unsafe-webgpu.',
  'On a machine without a GPU, --enable-unsafe-webgpu gives a software renderer: it works, but times a CPU.',
];

const FIREFOX_STEPS = [
  'Open about:support and see under Graphics whether WebGPU is listed as blocked, and why.',
  'Switch on “Use hardware acceleration when available” in the settings, under Performance, and restart it.',
  DRIVER,
  'Open about:config, set dom.webgpu.enabled and gfx.webgpu.ignore-blocklist to true, and restart it.',
  'On a machine without a GPU, gfx.webgpu.ignore-blocklist gives a software renderer: it works, but times a CPU.',
];

/** What to say where nothing can run, to the browser of this user agent string. */
export function helpOf(why: Why, userAgent: string): Help {
  const firefox = isFirefox(userAgent);
  if (why === 'insecure') {
    return {
      title: 'This page needs a secure address',
      text: 'Browsers offer WebGPU to https:// pages and to http://localhost only.',
      steps: ['Open the page by https://, or serve it on this machine and open it as http://localhost.'],
    };
  }
  if (why === 'no-webgpu') {
    return {
      title: 'This browser has no WebGPU',
      text: 'It is too old, or WebGPU is switched off. These have it:',
      steps: firefox ? [FIREFOX, FIREFOX_SWITCH, ...BROWSERS] : [...BROWSERS, FIREFOX],
    };
  }
  return {
    title: 'This browser has WebGPU, but no adapter for it',
    text: 'It found no GPU that it is willing to use. What usually helps:',
    steps: firefox ? FIREFOX_STEPS : CHROME_STEPS,
  };
}

/** What a software adapter means for the numbers, and how to get the real GPU in the browser of this user agent string. */
export function softwareText(userAgent: string): string {
  const how = isFirefox(userAgent)
    ? 'switch on hardware acceleration in Firefox’s settings, and set gfx.webgpu.ignore-blocklist in about:config; about:support says more.'
    : 'switch on graphics acceleration in the browser’s settings, and on Linux start Chrome with --enable-features=Vulkan; chrome://gpu says more.';
  return `Times and their ratios describe this CPU. If this machine has a GPU, ${how}`;
}

function isFirefox(userAgent: string): boolean {
  return describeBrowser(userAgent).kind === 'firefox';
}
