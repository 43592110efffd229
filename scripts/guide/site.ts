// site.ts: all files of the guide. A link that leads nowhere is an error.
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };
import { ROOT } from '../resultFiles.ts';
import { layout, STYLE, type Entry } from './layout.ts';
import { outputs, type Page } from './pages.ts';
import { render, type Places } from './render.ts';

/** Contents by path from the folder of the guide. */
export type SiteFiles = ReadonlyMap<string, string | Uint8Array>;

const PICTURES = 'pictures';

/** Renders the pages. Throws an Error that lists every link to a file, a page or a heading that is not there. */
export function site(pages: readonly Page[], repository = repositoryUrl()): SiteFiles {
  const files = new Map<string, string | Uint8Array>();
  const links: Link[] = [];
  const missing: string[] = [];
  const context = { outputs: outputs(pages), repository, files, links, missing };
  const entries = pages.map((page): Entry => ({
    page,
    rendered: render(page.markdown, placesOf(page, context)),
  }));
  for (const entry of entries) files.set(entry.page.output, layout(entry, entries));
  missing.push(
    ...links.filter((link) => !anchorsOf(files.get(link.output)!).has(link.anchor)).map(({ said }) => said),
  );
  if (missing.length > 0) throw new Error(`links that lead nowhere:\n  ${missing.join('\n  ')}`);
  files.set(STYLE, readFileSync(fileURLToPath(new URL(STYLE, import.meta.url)), 'utf8'));
  return files;
}

/** A link to a heading or a name within a page. */
interface Link {
  readonly output: string;
  readonly anchor: string;
  /** As an error says it. */
  readonly said: string;
}

/** What all pages share: what is found in them is added to the files and lists. */
interface Context {
  readonly outputs: ReadonlyMap<string, string>;
  /** Where the repository can be read, if anywhere. */
  readonly repository: string | undefined;
  readonly files: Map<string, string | Uint8Array>;
  readonly links: Link[];
  readonly missing: string[];
}

function placesOf(page: Page, context: Context): Places {
  const here = posix.dirname(page.output);
  const link: Places['link'] = (href) => {
    if (/^(https?:|mailto:)/.test(href)) return { address: href };
    const [file = '', anchor] = href.split('#');
    const path = file === '' ? page.path : posix.join(posix.dirname(page.path), file);
    const said = `${page.path}: ${href}`;
    const output = context.outputs.get(path);
    if (output !== undefined) {
      if (anchor !== undefined) context.links.push({ output, anchor, said });
      const to = file === '' ? '' : posix.relative(here, output);
      return { address: anchor === undefined ? to : `${to}#${anchor}` };
    }
    if (!existsSync(join(ROOT, path))) context.missing.push(said);
    return context.repository === undefined
      ? { path }
      : { address: `${context.repository}/blob/HEAD/${path}` };
  };
  const picture: Places['picture'] = (href) => {
    const path = posix.join(posix.dirname(page.path), href);
    const output = `${PICTURES}/${path.replaceAll('/', '-')}`;
    if (existsSync(join(ROOT, path))) context.files.set(output, readFileSync(join(ROOT, path)));
    else context.missing.push(`${page.path}: ${href}`);
    return posix.relative(here, output);
  };
  return { link, picture };
}

function anchorsOf(html: string | Uint8Array): ReadonlySet<string> {
  return new Set([...String(html).matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id!));
}

/** Where package.json says that the repository is. */
function repositoryUrl(): string | undefined {
  const { repository } = packageJson as { repository?: string | { url: string } };
  const url = typeof repository === 'object' ? repository.url : repository;
  return url?.replace(/^git\+/, '').replace(/\.git$/, '');
}
