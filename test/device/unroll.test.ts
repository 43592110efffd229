// unroll.test.ts: marked loops of linked shaders: their copies, their lines, loops in loops, and what is refused.
import { describe, expect, test } from 'vitest';
import { link } from '../../src/device/wgsl.ts';
import { unrollLoops } from '../../src/device/unroll.ts';
import { testDevice } from '../support/device.ts';
import { runKernel, unwritten } from '../support/runKernel.ts';

const lines = (...all: string[]) => all.join('\n');

/** A marked loop of `count` rounds around lines of a body. */
const loop = (count: string, ...body: string[]) =>
  lines(`for (var r = 0u; r < ${count}; r++) { // unroll`, ...body, '}');

describe('unrollLoops', () => {
  test('the first copy keeps its lines, the others follow behind it on its last', () => {
    const text = lines(loop('THREE', '  a[r] = b;', '  c(r, r + 1u);'), 'const THREE = 3u;');
    expect(unrollLoops(text)).toBe(
      lines(
        '{',
        '  a[0u] = b;',
        '  c(0u, 0u + 1u);',
        '}{  a[1u] = b; c(1u, 1u + 1u); }{  a[2u] = b; c(2u, 2u + 1u); }',
        'const THREE = 3u;',
      ),
    );
  });

  test('a loop of one round is a block, a loop of none is empty lines', () => {
    expect(unrollLoops(lines(loop('ONE', '  a[r] = b;'), 'const ONE = 1u;'))).toBe(
      lines('{', '  a[0u] = b;', '}', 'const ONE = 1u;'),
    );
    expect(unrollLoops(lines('x', loop('NONE', '  a[r] = b;', '  c();'), 'y', 'const NONE = 0u;'))).toBe(
      lines('x', '', '', '', '', 'y', 'const NONE = 0u;'),
    );
  });

  test('only the loop variable is replaced: not a member, not part of a name', () => {
    const text = lines(loop('ONE', 'x.r = r.x + row[r] + r1 + a_r;'), 'const ONE = 1u;');
    expect(unrollLoops(text).split('\n')[1]).toBe('x.r = 0u.x + row[0u] + r1 + a_r;');
  });

  test('comments end with their lines in every copy', () => {
    const text = lines(loop('TWO', '  a(r); // first r', '  b(r); // then'), 'const TWO = 2u;');
    expect(unrollLoops(text).split('\n')).toEqual([
      '{',
      '  a(0u); // first 0u',
      '  b(0u); // then',
      '}{  a(1u); b(1u); }',
      'const TWO = 2u;',
    ]);
  });

  test('loops in loops, and loops one behind the other', () => {
    const inner = 'for (var c = 0u; c < TWO; c++) { // unroll\na[r][c] = r;\n}';
    const text = lines(loop('TWO', inner), inner.replace('r;', '7u;'), 'const TWO = 2u;');
    const flat = unrollLoops(text).replace(/\s+/g, '');
    expect(flat).toBe(
      '{{a[0u][0u]=0u;}{a[0u][1u]=0u;}}{{a[1u][0u]=1u;}{a[1u][1u]=1u;}}{a[r][0u]=7u;}{a[r][1u]=7u;}constTWO=2u;',
    );
  });

  test('lines keep their numbers, whatever is unrolled', () => {
    const inner = 'for (var c = 0u; c < NONE; c++) { // unroll\n  gone(c);\n}';
    const text = lines('first', loop('TWO', '  if (x) {', inner, '  }', '', '  last_of_loop(r);'), 'after');
    const consts = 'const TWO = 2u;\nconst NONE = 0u;';
    const before = lines(text, consts).split('\n');
    const after = unrollLoops(lines(text, consts)).split('\n');
    expect(after).toHaveLength(before.length);
    for (const word of ['first', 'if (x)', 'last_of_loop', 'after', 'const NONE']) {
      const at = before.findIndex((line) => line.includes(word));
      expect(after.findIndex((line) => line.includes(word))).toBe(at);
    }
  });

  test('a loop inside a copy of its own name: the inner variable is the inner loop’s', () => {
    const text = lines(loop('TWO', loop('TWO', 'f(r);')), 'const TWO = 2u;');
    expect(unrollLoops(text).replace(/\s+/g, '')).toBe('{{f(0u);}{f(1u);}}{{f(0u);}{f(1u);}}constTWO=2u;');
  });

  test('loops without the mark, and counts of another form, stay as they are', () => {
    for (const text of [
      'for (var r = 0u; r < TWO; r++) {\n  a(r);\n}\nconst TWO = 2u;',
      'for (var r = 1u; r < TWO; r++) { // unroll\n  a(r);\n}\nconst TWO = 2u;',
      'for (var r = 0u; r < TWO + 1u; r++) { // unroll\n  a(r);\n}\nconst TWO = 2u;',
      'for (var r = 0u; s < TWO; r++) { // unroll\n  a(r);\n}\nconst TWO = 2u;',
    ]) {
      expect(unrollLoops(text)).toBe(text);
    }
  });

  test.each([
    ['an unknown bound', loop('COUNT', 'a(r);'), 'unroll: COUNT is not a constant with a literal value'],
    [
      'a bound that is computed',
      lines(loop('COUNT', 'a(r);'), 'const COUNT = 2u * 2u;'),
      'unroll: COUNT is not a constant with a literal value',
    ],
    [
      'a signed bound',
      lines(loop('COUNT', 'a(r);'), 'const COUNT = 4i;'),
      'unroll: COUNT is not a constant with a literal value',
    ],
    [
      'break',
      lines(loop('TWO', 'if x { break; }'), 'const TWO = 2u;'),
      'unroll: the loop over TWO is left early',
    ],
    [
      'continue',
      lines(loop('TWO', 'if x { continue; }'), 'const TWO = 2u;'),
      'unroll: the loop over TWO is left early',
    ],
    [
      'a loop without an end',
      lines('for (var r = 0u; r < TWO; r++) { // unroll', 'if x {', '}', 'const TWO = 2u;'),
      'unroll: a loop is not closed',
    ],
  ])('refuses %s', (_, text, message) => expect(() => unrollLoops(text)).toThrow(message));
});

describe('on a device', () => {
  const kernel = lines(
    '@group(0) @binding(0) var<storage, read_write> out: array<f32>;',
    '@compute @workgroup_size(1)',
    'fn main() {',
    '  var sums = array<array<f32, COLS>, ROWS>();',
    '  for (var r = 0u; r < ROWS; r++) { // unroll',
    '    let twice = f32(r) * 2.0; // a name of each copy’s own',
    '    for (var c = 0u; c < COLS; c++) { // unroll',
    '      let at = r * COLS + c;',
    '      sums[r][c] += twice + f32(c) / 8.0;',
    '      out[at] = sums[r][c];',
    '    }',
    '  }',
    '}',
    '',
  );
  const consts = { ROWS: 3, COLS: 2 };

  test('the copies do what the loop does', async () => {
    const run = (text: string) => {
      const source = link({ kernel: text, libs: [], consts });
      const outputs = { out: unwritten(6) };
      return testDevice().then((device) =>
        runKernel(device, { kernel: { name: 'loop', source }, grid: [1, 1, 1], inputs: {}, outputs }),
      );
    };
    const { out } = await run(kernel);
    expect(out).toEqual(Float32Array.of(0, 0.125, 2, 2.125, 4, 4.125));
    expect((await run(kernel.replaceAll(' // unroll', ''))).out).toEqual(out);
  });

  test("a compiler's line behind an unrolled loop is the file's", async () => {
    const device = await testDevice();
    const source = link({
      kernel: kernel.replace(/\}\n$/, '  let x = no_such_name;\n}\n'),
      libs: [],
      consts,
    });
    await expect(device.pipelines.get({ name: 'broken', source })).rejects.toThrow(/^broken: line 13:11: /);
  });
});
