// isaTable.node.test.ts: the tables of what compilers make of the kernels are those of their file.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PEER_ATTENTION } from '../../bench/isa/peer/peer.ts';
import { peerTable } from '../../bench/isa/peer/peerTable.ts';
import { spilled } from '../../bench/isa/statistics.ts';
import { OUR_ENGINE, type IsaResult } from '../../bench/schema/isaSchema.ts';
import { withIsa } from '../../scripts/isaTable.ts';
import { readIsaResults, ROOT } from '../../scripts/resultFiles.ts';

const results = readIsaResults();
const [isa] = results.filter(({ name }) => name === 'isa');

test('docs/results.md holds what the file says (npm run readme)', () => {
  const text = readFileSync(join(ROOT, 'docs/results.md'), 'utf8');
  expect(text).toContain('<!-- isa: ');
  expect(withIsa(text, results)).toBe(text);
});

describe('a part', () => {
  const part = (what: string) =>
    `A\n\n<!-- isa: ${what}; made by npm run readme -->\nold\n<!-- end of isa -->\n\nB\n`;

  test('families: a line each, with how many pipelines spill', () => {
    const made = withIsa(part('isa.json, families'), results);
    const { context, results: rows } = isa!.result;
    for (const { name, gpu } of context.families) {
      const own = rows.filter(({ family, engine }) => family === name && engine === OUR_ENGINE);
      const line = made.split('\n').find((each) => each.startsWith(`| ${name} `))!;
      const cells = line.split('|').map((cell) => cell.trim());
      expect(cells.slice(2, 6)).toEqual([
        gpu,
        expect.any(String),
        String(own.length),
        String(own.filter(spilled).length),
      ]);
    }
    expect(made).not.toContain('old');
    expect(withIsa(made, results)).toBe(made);
  });

  test('cases: a line for each fused kernel of theirs and no other', () => {
    const made = withIsa(part('isa.json, h32_kv8_d128_q1'), results);
    const rows = isa!.result.results.filter(
      ({ variant, cases }) => variant && cases.some((id) => id.startsWith('h32_kv8_d128_q1_')),
    );
    expect(made.match(/^\| \w+ +\| h\d+/gm)).toHaveLength(rows.length);
    expect(made).not.toContain('decode_merge');
  });

  test("peer: ours beside a peer's, or that there is none", () => {
    const { result } = isa!;
    const [ours] = result.results.filter(({ variant }) => variant);
    const theirs = { ...ours!, engine: 'peer 1.0', kernel: PEER_ATTENTION };
    const named = (rows: IsaResult['results']) => [{ name: 'isa', result: { ...result, results: rows } }];
    expect(withIsa(part('isa.json, peer'), named([ours!]))).toContain('has no kernels of a peer');
    expect(withIsa(part('isa.json, peer'), named([ours!, theirs]))).toContain(
      peerTable({ ...result, results: [ours!, theirs] }),
    );
  });

  test.each([
    ['nothing.json, families', 'got "nothing.json"'],
    ['isa.json, h1_kv1_d1', 'expected cases of "isa.json, h1_kv1_d1", found none'],
    ['isa.json', 'expected "isa: NAME.json, families or NAME.json, peer or NAME.json, CASES'],
  ])('%s is refused', (what, says) => {
    expect(() => withIsa(part(what), results)).toThrow(says);
  });
});
