// pages.ts: the pages of the guide, in the order in which the navigation lists them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENTRIES } from '../entries.ts';
import { ROOT } from '../resultFiles.ts';
import type { ReferencePages } from './apiReference.ts';

/** A page before it is rendered. */
export interface Page {
  /** The Markdown file from the root of the repository, or what would be its path: links in it are relative to that. */
  readonly path: string;
  /** The page's file, from the folder of the guide. */
  readonly output: string;
  readonly section: string;
  readonly markdown: string;
  /** Names of what it describes stand in its table of contents as well. */
  readonly reference?: true;
}

const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  'Grouped-query attention': ['what-is-gqa', 'why-no-gain', 'cache-types'],
  'How it works': ['kernels', 'measuring', 'results'],
  'Using it': ['library', 'limits-and-recipes', 'commands', 'conversion', 'training'],
};

const INDEX: readonly [path: string, output: string] = ['docs/README.md', 'index.html'];

/** Where the links of Markdown files to what an entry exports lead: in the repository a list without comments. */
const exportsPath = (entry: string) => `api/${entry}.d.ts.txt`;

/** All pages that have a Markdown file in the repository. */
export function writtenPages(): Page[] {
  const page = (path: string, output: string, section: string): Page => ({
    path,
    output,
    section,
    markdown: readFileSync(join(ROOT, path), 'utf8'),
  });
  return [
    page(...INDEX, ''),
    ...Object.entries(SECTIONS).flatMap(([section, names]) =>
      names.map((name) => page(`docs/${name}.md`, `${name}.html`, section)),
    ),
  ];
}

/** The pages of the API reference: of the entries, then of the namespaces that they export. */
export function referencePages(reference: ReferencePages): Page[] {
  const page = (path: string, name: string, lead: string): Page => ({
    path: `api/${path}`,
    output: `api/${name.toLowerCase()}.html`,
    section: 'API reference',
    markdown: reference.get(path)!.replace('\n', `\n\n${lead}\n`),
    reference: true,
  });
  const namespaces = [...reference.keys()].filter((path) => path.includes('/namespaces/'));
  return [
    ...[...ENTRIES].map(([entry, imported]) => {
      const path = [`${entry}.md`, `${entry}/README.md`].find((each) => reference.has(each));
      if (path === undefined) throw new Error(`the API reference has no page of ${imported}`);
      return page(path, entry, `What \`${imported}\` exports: ${entryComment(entry)}`);
    }),
    ...namespaces.map((path) => {
      const [, name] = /(\w+)\.md$/.exec(path)!;
      return page(path, name!, `Types of the namespace \`${name}\` that \`gqa-webgpu\` exports.`);
    }),
  ];
}

/** What the first line of an entry's file says of it. */
function entryComment(entry: string): string {
  const [first = ''] = readFileSync(join(ROOT, `src/${entry}.ts`), 'utf8').split('\n');
  return first.replace(/^\/\/ \w+\.ts: (the entry `[^`]+`: )?/, '');
}

/** The output that a path of the repository leads to; undefined where it is no page. */
export function outputs(pages: readonly Page[]): ReadonlyMap<string, string> {
  const own = pages.map(({ path, output }) => [path, output] as const);
  const exported = pages
    .filter(({ reference }) => reference)
    .map(
      ({ output }) =>
        [output.replace(/^api\/(.*)\.html$/, (_, entry: string) => exportsPath(entry)), output] as const,
    );
  return new Map([...exported, ...own]);
}
