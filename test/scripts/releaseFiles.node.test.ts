// releaseFiles.node.test.ts: package.json and the README as they are published, and that no advice needs the registry yet.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { releasedPackage, releasedReadme } from '../../scripts/releaseFiles.ts';
import { ROOT } from '../../scripts/resultFiles.ts';

const URL = 'https://host.example/owner/name';
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

// Until there is a release, whoever follows such advice gets an error, or somebody else's package of that name.
test('no text advises an install from the registry', () => {
  const texts = {
    ...import.meta.glob<string>(
      [
        '../../{cli,page,src}/**/*.{ts,html}',
        '../../bench/**/*.{ts,html,md}',
        '../../examples/**/*',
        '../../{README,ARCHITECTURE}.md',
        '../../docs/*.md',
      ],
      { query: '?raw', import: 'default', eager: true },
    ),
  };
  const advice = /npx (?:--?\S+ )*gqa-webgpu|npm (?:i|install|exec) (?:--?\S+ )*gqa-webgpu(?!-\d)/;
  const found = Object.entries(texts).filter(([, text]) => advice.test(text));
  expect(Object.keys(texts).length).toBeGreaterThan(100);
  expect(found.map(([path]) => path)).toEqual([]);
  for (const command of ['npx gqa-webgpu bench', 'npm install --global gqa-webgpu', 'npm i -g gqa-webgpu']) {
    expect(command).toMatch(advice);
  }
});

test('package.json says where the repository is, and the rest as before', () => {
  const before = JSON.parse(read('package.json')) as { version: string };
  expect(JSON.parse(releasedPackage(read('package.json'), `v${before.version}`, URL))).toEqual({
    ...before,
    repository: { type: 'git', url: `git+${URL}.git` },
    homepage: `${URL}#readme`,
    bugs: `${URL}/issues`,
  });
});

test('a tag of another version is refused', () => {
  expect(() => releasedPackage('{ "version": "1.2.3" }', 'v1.2.4', URL)).toThrow(
    'tag: expected v1.2.3, as package.json says, got v1.2.4',
  );
});

test('no link or picture of the README is relative', () => {
  const text = '![a](b/c.svg) [d](e.md) [f](https://g.example) [h](#i)';
  expect(releasedReadme(text, 'v1.0.0', URL)).toBe(
    `![a](${URL}/raw/v1.0.0/b/c.svg) [d](${URL}/blob/v1.0.0/e.md) [f](https://g.example) [h](#i)`,
  );
  expect(read('README.md')).toMatch(/!\[[^\]]+\]\(bench\/results\/[^)]+\.svg\)/);
  expect(releasedReadme(read('README.md'), 'v1.0.0', URL)).not.toMatch(/\]\((?!https:|#)/);
});
