// pageAdvice.test.ts: without WebGPU or on a software adapter the page names the switches of the browser it is in.
import { describe, expect, it } from 'vitest';
import { helpOf, softwareText } from '../../page/shell/advice.ts';

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
const CHROME =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36';

const SWITCHES = ['about:config', 'dom.webgpu.enabled', 'gfx.webgpu.ignore-blocklist'];

const textOf = (why: Parameters<typeof helpOf>[0], userAgent: string) => {
  const { title, text, steps } = helpOf(why, userAgent);
  return [title, text, ...steps].join('\n');
};

describe('in Firefox', () => {
  it('without WebGPU: its own switches come before other browsers', () => {
    for (const name of SWITCHES) expect(textOf('no-webgpu', FIREFOX)).toContain(name);
    const { steps } = helpOf('no-webgpu', FIREFOX);
    expect(steps.findIndex((step) => step.includes('about:config'))).toBeLessThan(
      steps.findIndex((step) => step.includes('Chrome')),
    );
  });

  it('without an adapter and on a software adapter: nothing of Chrome', () => {
    for (const name of SWITCHES) expect(textOf('no-adapter', FIREFOX)).toContain(name);
    expect(softwareText(FIREFOX)).toContain('gfx.webgpu.ignore-blocklist');
    expect(textOf('no-adapter', FIREFOX) + softwareText(FIREFOX)).not.toMatch(/chrome/i);
  });
});

describe('in Chrome', () => {
  it('nothing of Firefox’s settings', () => {
    const all = (['insecure', 'no-webgpu', 'no-adapter'] as const).map((why) => textOf(why, CHROME));
    expect([...all, softwareText(CHROME)].join('\n')).not.toMatch(/about:/);
    expect(textOf('no-adapter', CHROME)).toContain('chrome://gpu');
    expect(softwareText(CHROME)).toContain('chrome://gpu');
  });
});
