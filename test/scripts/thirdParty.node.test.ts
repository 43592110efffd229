// thirdParty.node.test.ts: what the build of the command bundles from packages, and the licence texts that lie beside it.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../../scripts/resultFiles.ts';
import { packageFolder, THIRD_PARTY } from '../../scripts/thirdParty.ts';

const outDir = mkdtempSync(join(tmpdir(), 'gqa-build-'));

beforeAll(() => build({ root: ROOT, mode: 'lib', logLevel: 'error', build: { outDir, emptyOutDir: true } }));
afterAll(() => rmSync(outDir, { recursive: true }));

/** Packages whose modules the source maps name, and what those depend on. */
function bundled(): Set<string> {
  const maps = readdirSync(outDir).filter((file) => file.endsWith('.map'));
  const sources = maps.flatMap((file) => {
    return (JSON.parse(readFileSync(join(outDir, file), 'utf8')) as { sources: string[] }).sources;
  });
  const names = new Set(
    sources.flatMap((path) => /(?<=\/node_modules\/)(?:@[^/]+\/)?[^/]+/.exec(path) ?? []),
  );
  for (const name of names) {
    const text = readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8');
    const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
    for (const dependency of Object.keys(dependencies)) names.add(dependency);
  }
  return names;
}

/** MIT, Apache, ISC, BSD and the Unlicense: what they allow, and whose notice it is. */
const LICENCES = [
  /Permission is hereby granted[\s\S]*Copyright|Copyright[\s\S]*Permission is hereby granted/,
  /Apache License[\s\S]*Copyright/,
  /Copyright[\s\S]*Permission to use, copy, modify[\s\S]*is hereby granted/,
  /Copyright[\s\S]*Redistribution and use in source and binary forms/,
  /This is free and unencumbered software released into the public domain/,
];

test('every package that is bundled is there with its licence', () => {
  const texts = readFileSync(join(outDir, THIRD_PARTY), 'utf8').split(/^-{80}$/m);
  const byName = new Map(texts.map((text) => [text.trim().split(' ')[0]!, text]));
  expect([...byName.keys()].toSorted()).toEqual([...bundled()].toSorted());
  expect([...byName.keys()]).toEqual(expect.arrayContaining(['commander', 'jsonc-parser', 'ml-matrix']));
  for (const text of byName.values())
    expect(
      LICENCES.some((licence) => licence.test(text)),
      text.slice(0, 400),
    ).toBe(true);
});

test('a module belongs to the innermost package', () => {
  expect(packageFolder('/a/node_modules/b/node_modules/@c/d/lib/e.js')).toBe(
    '/a/node_modules/b/node_modules/@c/d',
  );
  expect(packageFolder('\0/a/node_modules/b/index.js?commonjs')).toBe('/a/node_modules/b');
  expect(packageFolder('/a/src/b.ts')).toBeUndefined();
});
