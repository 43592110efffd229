// boundLoops.test.ts: marked loops of linked shaders: what they become, line by line, and that they take the same turns.
import { describe, expect, test } from 'vitest';
import { boundLoops } from '../../src/device/boundLoops.ts';
import { link } from '../../src/device/wgsl.ts';
import { testDevice } from '../support/device.ts';
import { runKernel } from '../support/runKernel.ts';

const lines = (...all: string[]) => all.join('\n');

describe('boundLoops', () => {
  test('a loop from 0 by ones counts its turns by its own variable', () => {
    expect(boundLoops(lines('for (var i = 0u; i < count; i++) { // bounded', '  a(i);', '}'))).toBe(
      lines('for (var i = 0u; i < 2147483647u; i++) { if i >= count { break; }', '  a(i);', '}'),
    );
  });

  test.each([
    ['i = lane; i < min(a, b); i++', 'let i = (lane) + i_turn; if i >= min(a, b) { break; }'],
    [
      'i = lane % LANES; i < x.y; i += 4u * LANES',
      'let i = (lane % LANES) + i_turn * (4u * LANES); if i >= x.y { break; }',
    ],
    ['i = 0u; i < end; i += STEP', 'let i = (0u) + i_turn * (STEP); if i >= end { break; }'],
  ])('for (var %s)', (head, begin) => {
    expect(boundLoops(`for (var ${head}) { // bounded\n}`)).toBe(
      `for (var i_turn = 0u; i_turn < 2147483647u; i_turn++) { ${begin}\n}`,
    );
  });

  test('in every copy of an unrolled loop around it', () => {
    const kernel = lines(
      'for (var r = 0u; r < ROWS; r++) { // unroll',
      '  for (var i = r; i < end; i++) { // bounded',
      '    a(i);',
      '  }',
      '}',
    );
    const linked = link({ kernel, libs: [], consts: { ROWS: 3 } });
    expect(linked.match(/i_turn < 2147483647u/g)).toHaveLength(3);
    expect(linked).toContain('let i = (2u) + i_turn; if i >= end { break; }');
  });

  test('other loops stay as they are', () => {
    const text = lines(
      'for (var i = lane; i < end; i++) {',
      'for (var half = 8u; half > 0u; half /= 2u) { // bounded',
      'for (var i = 0u; i < 4u; i++) { // unroll',
    );
    expect(boundLoops(text)).toBe(text);
  });

  test('on the device: one in another, with a beginning and a step, left and gone on with', async () => {
    const kernel = `
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0u;
  for (var i = lane; i < COUNT; i += 4u) { // bounded
    if i == 5u {
      continue;
    }
    for (var j = 0u; j < i; j++) { // bounded
      if j > 6u {
        break;
      }
      sum += 100u * i + j;
    }
  }
  out[lane] = sum;
}
`;
    const source = link({ kernel, libs: [], consts: { COUNT: 11 } });
    const { out } = await runKernel(await testDevice(), {
      kernel: { name: 'bounded', source },
      grid: [1, 1, 1],
      inputs: {},
      outputs: { out: new Uint32Array(4) },
    });
    const expected = [0, 1, 2, 3].map((lane) => {
      let sum = 0;
      for (let i = lane; i < 11; i += 4) {
        if (i !== 5) for (let j = 0; j < Math.min(i, 7); j++) sum += 100 * i + j;
      }
      return sum;
    });
    expect([...out!]).toEqual(expected);
  });
});
