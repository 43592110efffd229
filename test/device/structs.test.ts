// structs.test.ts: where fields of a WGSL struct lie, and what is refused of a struct that the host is to pack.
import { expect, test } from 'vitest';
import { structLayout } from '../../src/device/structs.ts';

const WGSL = `struct Other {
  a: f32,
}

struct Numbers {
  count: u32, // how many
  scale: f32,
  // and then
  first: u32,
  table: array<vec4<u32>>, // [count]
}
`;

test('fields lie one behind the other, an array of vec4 at a multiple of four words', () => {
  expect(structLayout(WGSL, 'Numbers', { count: 'u32', scale: 'f32', first: 'u32' })).toEqual({
    word: { count: 0, scale: 1, first: 2 },
    words: 4,
  });
  const plain = WGSL.replace('array<vec4<u32>>', 'array<u32>');
  expect(structLayout(plain, 'Numbers', { count: 'u32', scale: 'f32', first: 'u32' }).words).toBe(3);
  expect(structLayout(WGSL, 'Other', { a: 'f32' })).toEqual({ word: { a: 0 }, words: 1 });
});

test('the order is the shader’s', () => {
  const turned = WGSL.replace('  count: u32, // how many\n  scale: f32,\n', '  scale: f32,\n  count: u32,\n');
  expect(structLayout(turned, 'Numbers', { count: 'u32', scale: 'f32', first: 'u32' }).word).toEqual({
    scale: 0,
    count: 1,
    first: 2,
  });
});

const numbers = { count: 'u32', scale: 'f32', first: 'u32' } as const;

test.each([
  ['no such struct', WGSL, 'Nothing', {}, "struct Nothing: not in the shader's text"],
  ['a field too few', WGSL, 'Numbers', { count: 'u32', scale: 'f32' }, 'first is u32, packed as undefined'],
  ['a field too many', WGSL, 'Numbers', { ...numbers, last: 'u32' }, 'struct Numbers has no field last'],
  ['another type', WGSL, 'Numbers', { ...numbers, scale: 'u32' }, 'scale is f32, packed as u32'],
  [
    'a vector',
    WGSL.replace('scale: f32', 'scale: vec2<f32>'),
    'Numbers',
    numbers,
    'cannot pack "scale: vec2<f32>,"',
  ],
  [
    'a field behind the array',
    WGSL.replace('// [count]\n', '\n  last: u32,\n'),
    'Numbers',
    numbers,
    'cannot pack "last: u32,"',
  ],
] as const)('refused: %s', (_, wgsl, name, packed, message) => {
  const fields: Readonly<Record<string, 'u32' | 'f32'>> = packed;
  expect(() => structLayout(wgsl, name, fields)).toThrow(message);
});
