// registry.test.ts: each model type has one family, in one file, and both readers of config.json and of tensors go by it.
import { describe, expect, test } from 'vitest';
import { attentionRule } from '../../../src/checkpoint/find/attentionRule.ts';
import { findAttention } from '../../../src/checkpoint/find/findAttention.ts';
import { shapeFromConfig } from '../../../src/models/config.ts';
import { tableName, type CheckpointFormat } from '../../../src/models/families/family.ts';
import { FAMILIES, FORMATS, rulesOf, typeOf } from '../../../src/models/families/index.ts';
import type { TensorSpec } from '../../../src/checkpoint/format/safetensors.ts';

const OWNERS = FAMILIES.flatMap(({ name, types }) =>
  Object.keys(types).map((type): [type: string, family: string] => [type, name]),
);
const texts = import.meta.glob<string>('../../../{src,cli,bench,page}/**/*.ts', {
  query: '?raw',
  import: 'default',
  eager: true,
});
const outside = Object.entries(texts).filter(([path]) => !path.includes('/src/models/families/'));

describe('the list of families', () => {
  test('has each model type and each family once', () => {
    const types = OWNERS.map(([type]) => type);
    expect(types.length).toBeGreaterThan(150);
    expect(types.filter((type, i) => types.indexOf(type) !== i)).toEqual([]);
    const names = FAMILIES.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  test('has types under the name by which they are looked up', () => {
    for (const [type] of OWNERS) expect(tableName(type)).toBe(type);
  });

  test.each(FAMILIES.filter(({ formats }) => formats.length > 0))(
    '$name: its formats are of its own types',
    ({ types, formats }) => {
      for (const { modelTypes } of formats)
        for (const type of modelTypes) expect(Object.keys(types)).toContain(type);
    },
  );

  test('is asked by nobody for a type by its name', () => {
    const found = outside.flatMap(([path, text]) => {
      const asked = /\b(?:family|format)\.name\s*[!=]==|\btype\s*[!=]==\s*'|\['model_type'\][^;\n]*(?:[!=]==\s*'(?!string)|startsWith)/;
      return text.split('\n').filter((line) => asked.test(line)).map((line) => `${path}: ${line.trim()}`);
    });
    expect(found.filter((line) => /models|checkpoint|convert/.test(line))).toEqual([]);
    expect(outside.length).toBeGreaterThan(100);
  });
});
