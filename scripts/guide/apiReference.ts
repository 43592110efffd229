// apiReference.ts: the doc comments of the package's entries as Markdown, a page for each entry, by TypeDoc.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Application, Converter, ReflectionKind, type ProjectReflection } from 'typedoc';
import { MarkdownTheme, MarkdownThemeContext } from 'typedoc-plugin-markdown';
import { ENTRIES } from '../entries.ts';
import { ROOT } from '../resultFiles.ts';

/** Text by path from the folder of the reference, as its own links name them: `index/README.md`, `node.md`. */
export type ReferencePages = ReadonlyMap<string, string>;

/**
 * Reads the declarations of a folder (dist/types, which the build has written) with TypeDoc. It needs the compiler's
 * JavaScript interface, which TypeScript 7 does not have: `typescript` is version 6 here, and `tsc` is 7's.
 */
export async function apiReference(types = join(ROOT, 'dist/types')): Promise<ReferencePages> {
  const folder = mkdtempSync(join(tmpdir(), 'gqa-api-'));
  try {
    const app = await application(types, folder);
    const project = await app.convert();
    if (!project) throw new Error(`${types}: TypeDoc found no entries; npm run build:package writes them`);
    const pages = join(folder, 'pages');
    app.options.setValue('outputs', [{ name: 'markdown', path: pages }]);
    await app.generateOutputs(project);
    if (app.logger.hasErrors()) throw new Error('TypeDoc failed: see above');
    const paths = readdirSync(pages, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.md'),
    );
    return new Map(
      paths.map((path) => [path.replaceAll('\\', '/'), readFileSync(join(pages, path), 'utf8')]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function application(types: string, folder: string): Promise<Application> {
  const entryPoints = [...ENTRIES.keys()].map((entry) => join(types, `${entry}.d.ts`));
  const tsconfig = join(folder, 'tsconfig.json');
  const compilerOptions = {
    target: 'es2023',
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2023', 'dom'],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
  };
  writeFileSync(tsconfig, JSON.stringify({ compilerOptions, files: entryPoints }));
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    entryPoints,
    tsconfig,
    // The build has checked them.
    skipErrorChecking: true,
    excludeExternals: true,
    excludePrivate: true,
    disableSources: true,
    readme: 'none',
    router: 'module',
    logLevel: 'Error',
    // Signatures have the types of parameters and results, with links; comments say the rest.
    parametersFormat: 'none',
    expandParameters: true,
    interfacePropertiesFormat: 'table',
    classPropertiesFormat: 'table',
    propertyMembersFormat: 'table',
    typeDeclarationFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    tableColumnSettings: { hideModifiers: true, hideInherited: true, hideOverrides: true },
    hideBreadcrumbs: true,
    hidePageHeader: true,
    sanitizeComments: true,
    pageTitleTemplates: { module: ({ name }: { name: string }) => ENTRIES.get(name) ?? name },
  } as Parameters<typeof Application.bootstrapWithPlugins>[0]);
  app.renderer.defineTheme('signatures', SignaturesTheme);
  app.options.setValue('theme', 'signatures');
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    withoutBareConstructors(project);
    keepBrackets(project);
  });
  return app;
}

/** Results and inheritance are not said a second time behind a signature. */
class SignaturesTheme extends MarkdownTheme {
  override getRenderContext(
    page: ConstructorParameters<typeof MarkdownThemeContext>[1],
  ): MarkdownThemeContext {
    const context = super.getRenderContext(page);
    context.partials = { ...context.partials, signatureReturns: () => '', inheritance: () => '' };
    return context;
  }
}

/** Classes whose constructor is internal come without it in the declarations, and TypeDoc gives them one of no parameters. */
function withoutBareConstructors(project: ProjectReflection): void {
  for (const constructor of project.getReflectionsByKind(ReflectionKind.Constructor)) {
    if (!constructor.isDeclaration()) continue;
    const bare = constructor.signatures?.every(({ parameters = [] }) => parameters.length === 0);
    if (bare) project.removeReflection(constructor);
  }
}

/** Shapes such as `[B]: tokens` are text, where Markdown sees the target of a link. */
function keepBrackets(project: ProjectReflection): void {
  for (const { comment } of Object.values(project.reflections)) {
    for (const part of comment?.summary ?? []) {
      if (part.kind === 'text') part.text = part.text.replaceAll('[', '\\[');
    }
  }
}
