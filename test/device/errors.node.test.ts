// errors.node.test.ts: errors keep their names in a minified bundle.
import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';
import { expect, test } from 'vitest';
import * as errors from '../../src/device/errors.ts';

const ERRORS = fileURLToPath(new URL('../../src/device/errors.ts', import.meta.url));

const classes = Object.entries(errors).filter(([name]) => /^[A-Z]/.test(name));

async function minified(): Promise<string> {
  const made = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, minify: true, lib: { entry: ERRORS, formats: ['es'] } },
  });
  const [{ output }] = made as Rolldown.RolldownOutput[] as [Rolldown.RolldownOutput];
  return output[0].code;
}

test('errors keep their names in a minified bundle', async () => {
  const code = await minified();
  const url = `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`;
  const bundle = (await import(/* @vite-ignore */ url)) as Record<string, new () => Error>;
  expect(classes.length).toBeGreaterThan(8);
  for (const [name] of classes) {
    const error = new bundle[name]!();
    expect(error.name).toBe(name);
    expect(error.constructor.name).not.toBe(name); // or nothing was minified
  }
});

test('every error class of the sources says its own name', () => {
  const sources = import.meta.glob<string>('../../src/**/*.ts', {
    query: '?raw',
    import: 'default',
    eager: true,
  });
  const found = Object.values(sources).flatMap((text) => [
    ...text.matchAll(/class (\w+) extends \w*Error \{\n(.*)\n/g),
  ]);
  expect(found.length).toBeGreaterThan(9);
  for (const [, name, first] of found) expect(first).toBe(`  override readonly name: string = '${name}';`);
});
