// typesTable.node.test.ts: the table of element types is what the study prints, and other parts are refused.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { typesTable } from '../../bench/studies/typeErrors.ts';
import { ROOT } from '../../scripts/resultFiles.ts';
import { withTypes } from '../../scripts/typesTable.ts';

test('docs/results.md holds what the study says (npm run readme)', () => {
  const text = readFileSync(join(ROOT, 'docs/results.md'), 'utf8');
  expect(withTypes(text)).toBe(text);
});

const readme = (what: string) => `# Title\n\n<!-- types: ${what} -->\nold\n<!-- end of types -->\n\nMore.\n`;

test('a part is made anew, and nothing around it', () => {
  const made = withTypes(readme('head dim 64, 16 tokens; made by npm run readme'));
  const table = typesTable({ headDim: 64, tokens: 16 });
  expect(made).toBe(
    `# Title\n\n<!-- types: head dim 64, 16 tokens; made by npm run readme -->\n\n${table}\n\n<!-- end of types -->\n\nMore.\n`,
  );
});

test('a part of another form is refused', () => {
  expect(() => withTypes(readme('D 64; made by npm run readme'))).toThrow(
    'README: expected "types: head dim N, N tokens; made by npm run readme", got "types: D 64; made by npm run readme"',
  );
});
