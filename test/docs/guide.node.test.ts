// guide.node.test.ts: the guide as `npm run build` makes it: links, heads, the whole API, and what axe finds in Chromium.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page as Tab } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportsOf, readDeclarations } from '../../scripts/declarationFiles.ts';
import { ENTRIES } from '../../scripts/entries.ts';
import { apiReference } from '../../scripts/guide/apiReference.ts';
import { referencePages, writtenPages, type Page } from '../../scripts/guide/pages.ts';
import { site, type SiteFiles } from '../../scripts/guide/site.ts';
import { ROOT } from '../../scripts/resultFiles.ts';
import { findChromium } from '../../src/node/chromium.ts';

/** What of axe-core is used here. */
interface Axe {
  run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
}

const types = mkdtempSync(join(tmpdir(), 'gqa-guide-'));
let written: Page[];
let files: SiteFiles;
let pages: [path: string, html: string][];

beforeAll(async () => {
  const tsc = join(ROOT, 'node_modules/@typescript/native/lib/tsc.js');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', types], { cwd: ROOT });
  written = writtenPages();
  files = site([...written, ...referencePages(await apiReference(types))], undefined);
  pages = [...files].flatMap(([path, text]) => (path.endsWith('.html') ? [[path, String(text)]] : []));
}, 120_000);

afterAll(() => rmSync(types, { recursive: true }));

const markdownPage = (path: string, markdown: string): Page => ({
  path,
  output: `${path}.html`,
  section: 'other',
  markdown,
});

describe('pages', () => {
  test('every Markdown file of docs/ is one', () => {
    const found = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
    expect(written.map(({ path }) => path).toSorted()).toEqual(
      found.map((name) => `docs/${name}`).toSorted(),
    );
  });

  test('each has a language, a title and a description of its own, one first heading, and no script or style in it', () => {
    for (const [path, html] of pages) {
      expect(html, path).toMatch(/^<!doctype html>\n<html lang="en">/);
      expect(/<meta name="description" content="([^"]*)"/.exec(html)?.[1]!.length, path).toBeGreaterThan(40);
      expect(html.match(/<h1/g), path).toHaveLength(1);
      expect(html, path).not.toMatch(/<script|<style|\sstyle="|\son\w+="/);
      expect(html, path).toContain("default-src 'none'; style-src 'self'");
      const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
      expect(
        ids.filter((id, i) => ids.indexOf(id) !== i),
        path,
      ).toEqual([]);
    }
    for (const tag of [/<title>(.*)<\/title>/, /name="description" content="([^"]*)"/]) {
      const texts = pages.map(([, html]) => tag.exec(html)![1]);
      expect(new Set(texts).size).toBe(texts.length);
    }
  });

  test('they hold at any base path: every address is relative, and of a file that is there', () => {
    for (const [path, html] of pages) {
      for (const [, address] of html.matchAll(/\s(?:href|src)="([^"#]+)[^"]*"/g)) {
        if (/^(https:\/\/arxiv\.org\/|data:,)/.test(address!)) continue;
        const to = new URL(address!, `https://host/base/guide/${path}`).pathname.replace('/base/guide/', '');
        if (to !== '/base/index.html') expect([...files.keys()], `${path}: ${address}`).toContain(to);
      }
    }
  });

  test('every name that an entry exports has a heading in the API reference', () => {
    const texts = new Map(
      readdirSync(types, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.d.ts'))
        .map((file) => [file, readFileSync(join(types, file), 'utf8')]),
    );
    const declarations = readDeclarations(texts);
    for (const entry of ENTRIES.keys()) {
      const names = exportsOf(declarations, `${entry}.d.ts`).map(({ name }) => name);
      expect(names.length, entry).toBeGreaterThan(0);
      for (const name of names) {
        const [inner, namespace = entry] = name.split('.').toReversed();
        const html = String(files.get(`api/${namespace.toLowerCase()}.html`));
        // A namespace itself is a page.
        const found =
          new RegExp(`<h3 id="${inner}(-1)?"`, 'i').test(html) ||
          files.has(`api/${inner!.toLowerCase()}.html`);
        expect(found, name).toBe(true);
      }
    }
  });

  test('colours are those of the page', () => {
    const coloursOf = (css: string) => css.match(/--(?:bg|surface|line|text|muted|accent): #\w+/g);
    expect(coloursOf(String(files.get('guide.css')))).toEqual(
      coloursOf(readFileSync(join(ROOT, 'page/style.css'), 'utf8')),
    );
  });
});

describe('links', () => {
  test('those of the other Markdown files lead somewhere too', () => {
    const others = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'shaders/README.md', 'bench/NOTES.md'];
    const more = others.map((path) => markdownPage(path, readFileSync(join(ROOT, path), 'utf8')));
    expect(() => site([...written, ...more], undefined)).not.toThrow();
  });

  test('a missing file, page, heading or picture is named', () => {
    const bad =
      '# Bad\n\n[a](gone.md) [b](commands.md#gone) [c](#here) [d](../src/gone.ts) ![e](gone.svg) [f](#bad)';
    expect(() => site([...written, markdownPage('docs/bad.md', bad)], undefined)).toThrow(
      'links that lead nowhere:\n  docs/bad.md: gone.md\n  docs/bad.md: ../src/gone.ts\n  docs/bad.md: gone.svg\n  docs/bad.md: commands.md#gone\n  docs/bad.md: #here',
    );
  });

  test('a source file is its path, or where package.json has a repository a link to it', () => {
    const linked = '# Links\n\nSee [`src/index.ts`](../src/index.ts) and [the entry](../src/index.ts).';
    const htmlOf = (repository?: string) =>
      String(site([...written, markdownPage('docs/links.md', linked)], repository).get('docs/links.md.html'));
    expect(htmlOf()).toContain(
      '<p>See <code>src/index.ts</code> and the entry <code>src/index.ts</code>.</p>',
    );
    expect(htmlOf('https://host/gqa')).toContain(
      '<a href="https://host/gqa/blob/HEAD/src/index.ts">the entry</a>',
    );
  });
});

describe('in Chromium', { timeout: 120_000 }, () => {
  let browser: Browser;
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const TYPES: Readonly<Record<string, string>> = {
    html: 'text/html',
    css: 'text/css',
    svg: 'image/svg+xml',
  };

  beforeAll(async () => {
    browser = await chromium.launch({ ...(await findChromium()) });
  });

  afterAll(() => browser.close());

  /** Opens pages from memory, one after the other; what the browser complains of, and requests for anything else, are in `said`. */
  async function open(
    options: { width: number; colorScheme: 'light' | 'dark' },
    visit: (tab: Tab, path: string) => Promise<void>,
    paths: readonly string[],
  ) {
    const { width, colorScheme } = options;
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme });
    const said: string[] = [];
    await context.route('**/*', async (route) => {
      const path = new URL(route.request().url()).pathname.replace('/some/base/', '');
      const body = files.get(path);
      if (body === undefined) said.push(`request of ${route.request().url()}`);
      await route.fulfill({
        status: body === undefined ? 404 : 200,
        contentType: TYPES[path.split('.').at(-1)!] ?? 'text/plain',
        body: Buffer.from(body ?? ''),
      });
    });
    const tab = await context.newPage();
    tab.on('console', (message) => said.push(message.text()));
    for (const path of paths) {
      await tab.goto(`https://guide.invalid/some/base/${path}`);
      await visit(tab, path);
    }
    await context.close();
    return said;
  }

  // Of each kind one: a list, pictures and tables, programs, the reference.
  const SAMPLES = ['index.html', 'what-is-gqa.html', 'library.html', 'api/tuning.html'];

  test.each([
    ['light', {}],
    ['dark', { runOnly: ['color-contrast'] }],
  ] as const)('axe finds nothing in %s', async (colorScheme, rules) => {
    const found: string[] = [];
    const visit = async (tab: Tab, path: string) => {
      await tab.evaluate(axe);
      const violations = await tab.evaluate(async (options) => {
        const { axe: tool } = globalThis as unknown as { axe: Axe };
        const result = await tool.run(options);
        return result.violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`);
      }, rules);
      found.push(...violations.map((violation) => `${path}: ${violation}`));
    };
    const said = await open({ width: 1280, colorScheme }, visit, SAMPLES);
    expect(found).toEqual([]);
    expect(said).toEqual([]);
  });

  test('no page is wider than a phone, and all pictures load', async () => {
    const found: string[] = [];
    const said = await open(
      { width: 375, colorScheme: 'light' },
      async (tab, path) => {
        const [wide, broken] = await tab.evaluate(() => [
          document.documentElement.scrollWidth > innerWidth,
          [...document.images].some((image) => image.naturalWidth === 0),
        ]);
        if (wide || broken) found.push(`${path}: ${wide ? 'wide' : 'a picture is missing'}`);
      },
      pages.map(([path]) => path),
    );
    expect(found).toEqual([]);
    expect(said).toEqual([]);
  });
});
