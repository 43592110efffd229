// readmeTable.node.test.ts: the README's tables are those of the results, and what is said of parts that name none.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { headerLines, resultTable } from '../../bench/report/report.ts';
import { withResults } from '../../scripts/readmeTable.ts';
import { readResults, ROOT } from '../../scripts/resultFiles.ts';
import { result, row, steady } from '../support/benchResult.ts';

test.each(['README.md', 'docs/results.md'])('%s holds what its results say (npm run readme)', (file) => {
  const text = readFileSync(join(ROOT, file), 'utf8');
  expect(withResults(text, readResults())).toBe(text);
});

const rows = [1024, 4096].flatMap((depth) => [32, 8].map((kv) => row(kv, depth, steady(1000 * kv))));
const desk = { name: 'desk', result: result(rows) };

/** A README with one part, whatever stands in it. */
function readme(what: string, inside = 'what stood here\n'): string {
  return `# Title\n\n<!-- results: ${what} -->\n${inside}<!-- end of results -->\n\nMore.\n`;
}

describe('a part', () => {
  const made = withResults(readme('desk.json; made by npm run readme'), [desk]);

  test('has header, table, notes and charts, and leaves all around it alone', () => {
    expect(made).toContain(`\`\`\`\n${headerLines(desk.result).join('\n')}\n\`\`\``);
    expect(made).toContain(resultTable(desk.result));
    expect(made).toContain('> 4 of the 4 rows of `bench/results/desk.json`.');
    expect(made).toContain('](bench/results/desk.kv-heads.svg)');
    expect(made).toContain('](bench/results/desk.length.svg)');
    expect(made).toMatch(/^# Title\n\n<!-- results: desk\.json; made by npm run readme -->\n/);
    expect(made).toMatch(/<!-- end of results -->\n\nMore\.\n$/);
    expect(made).not.toContain('what stood here');
  });

  test('shows no chart that its rows are too few for', () => {
    const few = { name: 'desk', result: result(rows.slice(0, 2)) };
    const text = withResults(readme('desk.json; made by npm run readme'), [few]);
    expect(text).toContain('desk.kv-heads.svg');
    expect(text).not.toContain('desk.length.svg');
  });

  test('shows no chart where it says so', () => {
    const text = withResults(readme('desk.json, no charts; made by npm run readme'), [desk]);
    expect(text).toContain(resultTable(desk.result));
    expect(text).not.toContain('.svg');
  });

  test('made twice is the same', () => {
    expect(withResults(made, [desk])).toBe(made);
    expect(withResults(readme('desk.json; made by npm run readme', ''), [desk])).toBe(made);
  });

  test('shows the rows that it names', () => {
    const some = withResults(readme('desk.json, kv-heads 8, depth 1024,512; made by npm run readme'), [desk]);
    expect(some.match(/^\| llama.*$/gm)).toHaveLength(1);
    expect(some).toContain('> 1 of the 4 rows');
  });

  test('may stand beside others', () => {
    const shelf = { name: 'shelf', result: result(rows, { label: 'shelf' }) };
    const two = `${readme('desk.json; made by npm run readme')}${readme('shelf.json; made by npm run readme')}`;
    const text = withResults(two, [desk, shelf]);
    expect(text.match(/^> 4 of the 4 rows of .*$/gm)).toHaveLength(2);
    expect(text).toContain('label "shelf"');
  });

  test('takes figures with a dollar sign as they are', () => {
    const money = { name: 'desk', result: result(rows, { label: '$& $1' }) };
    expect(withResults(readme('desk.json; made by npm run readme'), [money])).toContain('label "$& $1"');
  });
});

describe('refused', () => {
  test.each([
    ['no part', 'nothing here', 'expected parts from <!-- results: '],
    ['a part without an end', '<!-- results: desk.json; made by npm run readme -->\n', 'got 0 whole ones'],
    [
      'an unknown file',
      readme('shelf.json; made by npm run readme'),
      'expected a file of bench/results (desk.json), got "shelf.json"',
    ],
    ['another form', readme('desk.json'), 'got "results: desk.json"'],
    [
      'a bad list',
      readme('desk.json, depth all; made by npm run readme'),
      'got "results: desk.json, depth all; made by',
    ],
    ['rows that are not there', readme('desk.json, depth 7; made by npm run readme'), 'found none'],
  ])('%s', (_, text, message) => {
    expect(() => withResults(text, [desk])).toThrow(message);
  });
});
