// render.ts: a page's Markdown as HTML, with anchors at headings, and links that lead to where things are in the guide.
import GithubSlugger from 'github-slugger';
import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import json from 'highlight.js/lib/languages/json';
import typescript from 'highlight.js/lib/languages/typescript';
import { Marked, type RendererObject, type Tokens } from 'marked';
import { escapeHtml, plainText } from './text.ts';

hljs.registerLanguage('ts', typescript);
hljs.registerLanguage('js', typescript);
hljs.registerLanguage('sh', bash);
hljs.registerLanguage('json', json);

/** Columns of a table whose cells may take several lines; of one with more each row stays one line, to be scrolled. */
const MOST_WRAPPED = 7;

export interface Heading {
  readonly depth: number;
  readonly id: string;
  /** Without markup. */
  readonly text: string;
}

export interface Rendered {
  readonly html: string;
  readonly headings: readonly Heading[];
  /** The first paragraph, without markup. */
  readonly summary: string;
}

/** Where the links and pictures of a page lead. */
export interface Places {
  /** An address, or the path of a file that has none: it is shown in place of a link. */
  link(href: string): { readonly address: string } | { readonly path: string };
  picture(href: string): string;
}

export function render(markdown: string, places: Places): Rendered {
  const headings: Heading[] = [];
  const marked = new Marked({ renderer: renderer(places, headings) });
  // Marks for the scripts that fill in tables are no text.
  const tokens = marked.lexer(markdown.replaceAll(/^<!--.*?-->\n/gms, ''));
  const first = tokens.find((token): token is Tokens.Paragraph => token.type === 'paragraph');
  return {
    html: marked.parser(tokens),
    headings,
    summary: first ? plainText(marked.Parser.parseInline(first.tokens)) : '',
  };
}

function renderer(places: Places, headings: Heading[]): RendererObject {
  const slugger = new GithubSlugger();
  return {
    heading({ tokens, depth }) {
      const html = this.parser.parseInline(tokens);
      const text = plainText(html);
      const id = slugger.slug(text);
      headings.push({ depth, id, text });
      const anchor =
        depth === 1 ? '' : ` <a class="anchor" href="#${id}" aria-label="Link to: ${escapeHtml(text)}">#</a>`;
      return `<h${depth} id="${id}">${html}${anchor}</h${depth}>\n`;
    },
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens);
      const place = places.link(href);
      if ('address' in place) return `<a href="${escapeHtml(place.address)}">${text}</a>`;
      const path = `<code>${escapeHtml(place.path)}</code>`;
      return plainText(text).endsWith(place.path) ? path : `${text} ${path}`;
    },
    image({ href, text }) {
      return `<img src="${escapeHtml(places.picture(href))}" alt="${escapeHtml(text)}">`;
    },
    code({ text, lang }) {
      const known = lang && hljs.getLanguage(lang);
      const html = known ? hljs.highlight(text, { language: lang }).value : escapeHtml(text);
      return `<pre tabindex="0"><code>${html}</code></pre>\n`;
    },
    table({ header, rows, align }) {
      const row = (cells: readonly Tokens.TableCell[], tag: string) => {
        const parts = cells.map((cell, i) => {
          const side = align[i] ? ` class="${align[i]}"` : '';
          const scope = tag === 'th' ? ' scope="col"' : '';
          return `<${tag}${scope}${side}>${this.parser.parseInline(cell.tokens)}</${tag}>`;
        });
        return `<tr>${parts.join('')}</tr>\n`;
      };
      const body = rows.map((cells) => row(cells, 'td')).join('');
      const wide = header.length > MOST_WRAPPED ? ' class="wide"' : '';
      return `<div class="table" tabindex="0"><table${wide}><thead>${row(header, 'th')}</thead><tbody>\n${body}</tbody></table></div>\n`;
    },
  };
}
