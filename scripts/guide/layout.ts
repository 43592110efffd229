// layout.ts: the HTML around a page's text: head, header, navigation and contents. No page needs a script.
import packageJson from '../../package.json' with { type: 'json' };
import type { Page } from './pages.ts';
import type { Heading, Rendered } from './render.ts';
import { escapeHtml } from './text.ts';

/** Nothing but the guide's own style and pictures is ever loaded. */
const POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'";

export const STYLE = 'guide.css';

export interface Entry {
  readonly page: Page;
  readonly rendered: Rendered;
}

/** The page as a file; `all` are those that the navigation lists. */
export function layout({ page, rendered }: Entry, all: readonly Entry[]): string {
  const root = '../'.repeat(page.output.split('/').length - 1);
  const title = titleOf(rendered);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="description" content="${escapeHtml(shortened(rendered.summary))}">
<title>${escapeHtml(page.section ? `${title} · gqa-webgpu` : title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${root}${STYLE}">
</head>
<body>
<a class="skip" href="#guide-text">Skip to the text</a>
<header>
<a class="brand" href="${root}index.html">gqa-webgpu <span>${packageJson.version} guide</span></a>
<a href="${root}../index.html">Measure on this device</a>
<a class="to-pages" href="#guide-pages">All pages</a>
</header>
<div class="columns">
<main id="guide-text">
${withContents(rendered, page)}</main>
<nav id="guide-pages" aria-label="Guide">
${navigation(page, all, root)}</nav>
</div>
</body>
</html>
`;
}

function titleOf({ headings }: Rendered): string {
  return headings.find(({ depth }) => depth === 1)!.text;
}

/** What a search engine shows of a paragraph: whole sentences up to some 300 characters. */
function shortened(text: string): string {
  const sentences = text.match(/.+?[.?!](?= |$)|.+$/g) ?? [];
  const ends = sentences.map((_, i) => sentences.slice(0, i + 1).join(''));
  return ends.findLast((short) => short.length < 300) ?? '';
}

/** The text, with a list of its parts behind its first paragraph where there are some. */
function withContents({ html, headings }: Rendered, { reference }: Page): string {
  const parts = headings.filter(({ depth }) => depth === 2);
  if (parts.length < 3 && !reference) return html;
  const items = parts.map((part) => {
    const names = reference ? namesIn(part, headings) : [];
    const list = names.length > 0 ? `<ul class="names">${names.map(item).join('')}</ul>` : '';
    return `<li><a href="#${part.id}">${escapeHtml(part.text)}</a>${list}</li>\n`;
  });
  const contents = `<nav class="contents" aria-label="On this page">\n<ul>\n${items.join('')}</ul>\n</nav>\n`;
  return html.replace('</p>\n', (end) => end + contents);
}

/** The third-level headings of a part. */
function namesIn(part: Heading, headings: readonly Heading[]): Heading[] {
  const behind = headings.slice(headings.indexOf(part) + 1);
  const next = behind.findIndex(({ depth }) => depth === 2);
  return behind.slice(0, next < 0 ? behind.length : next).filter(({ depth }) => depth === 3);
}

function item({ id, text }: Heading): string {
  return `<li><a href="#${id}"><code>${escapeHtml(text)}</code></a></li>`;
}

function navigation(current: Page, all: readonly Entry[], root: string): string {
  const sections = [...new Set(all.map(({ page }) => page.section))];
  return sections
    .map((section) => {
      const links = all.filter(({ page }) => page.section === section);
      const items = links.map(({ page, rendered }) => {
        const here = page === current ? ' aria-current="page"' : '';
        return `<li><a href="${root}${page.output}"${here}>${escapeHtml(titleOf(rendered))}</a></li>\n`;
      });
      return `${section ? `<h2>${section}</h2>\n` : ''}<ul>\n${items.join('')}</ul>\n`;
    })
    .join('');
}
