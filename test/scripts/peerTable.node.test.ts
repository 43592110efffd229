// peerTable.node.test.ts: the table of engines is that of its file, and what is said of parts that name none.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ratioToOurs } from '../../bench/peers/report.ts';
import { withPeers } from '../../scripts/peerTable.ts';
import { readPeerResults, ROOT } from '../../scripts/resultFiles.ts';

const peers = readPeerResults();
const [llvmpipe] = peers.filter(({ name }) => name === 'peers-llvmpipe-2core');

test('docs/results.md holds what the file says (npm run readme)', () => {
  const text = readFileSync(join(ROOT, 'docs/results.md'), 'utf8');
  expect(text).toContain('<!-- peers: ');
  expect(withPeers(text, peers)).toBe(text);
});

describe('a part', () => {
  const part = (name: string, place: string) =>
    `A\n\n<!-- peers: ${name}.json, place ${place}; made by npm run readme -->\nold\n<!-- end of peers -->\n\nB\n`;

  test('has a row of each shape with the medians of the engines of its place, and nothing of other places', () => {
    const made = withPeers(part('peers-llvmpipe-2core', 'node'), peers);
    const rows = llvmpipe!.result.results.filter(({ place }) => place === 'node');
    const shapes = new Set(rows.map(({ id }) => id));
    expect(made.match(/^\| +\d+\/\d+ \|.*$/gm)).toHaveLength(shapes.size);
    const [first] = rows.filter(({ engine }) => engine === 'ort-web');
    const ratio = ratioToOurs(rows, first!)!.toPrecision(3);
    expect(made).toContain(`${(first!.time!.median / 1e6).toPrecision(3)} (${ratio}×)`);
    expect(made).not.toContain('chromium');
    expect(made).not.toContain('old');
    expect(withPeers(made, peers)).toBe(made);
  });

  test.each([
    ['nothing', 'node', 'got "nothing.json"'],
    [
      'peers-llvmpipe-2core',
      'nowhere',
      'expected rows of "peers-llvmpipe-2core.json, place nowhere", found none',
    ],
  ])('%s at %s is refused', (name, place, message) => {
    expect(() => withPeers(part(name, place), peers)).toThrow(message);
  });

  test('that does not end is refused', () => {
    const open = '<!-- peers: peers-llvmpipe-2core.json, place node; made by npm run readme -->\n';
    expect(() => withPeers(open, peers)).toThrow('got 0 whole ones');
  });
});
