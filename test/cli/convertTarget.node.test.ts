// convertTarget.node.test.ts: the folder that `gqa convert --out` makes: empty folders, missing parents, links, and what a failure leaves.
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openModelFolder } from '../../src/checkpoint/convert/disk/modelFolder.ts';
import { CHECKPOINTS, writeCheckpoint } from '../support/checkpoints.ts';
import { gqaMain } from '../support/gqaMain.ts';
import { shell } from '../support/shell.ts';

let folder = '';
let source = '';
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'gqa-target-')));
  source = await writeCheckpoint(join(folder, 'source'), CHECKPOINTS['llama']!);
});
afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await rm(folder, { recursive: true });
});

const at = (...names: string[]) => join(folder, ...names);
const convert = (out: string, ...more: string[]) =>
  gqaMain('convert', source, '--kv-heads', '2', '--out', out, ...more);

/** Converts, and expects a whole model and nothing beside it but `others`. */
async function expectModel(out: string, where: string, others: readonly string[] = []): Promise<void> {
  const { err, code } = await convert(out);
  expect([err.includes('error'), code]).toEqual([false, undefined]);
  expect((await openModelFolder(where)).config).toMatchObject({ num_key_value_heads: 2 });
  expect((await readdir(folder)).filter((name) => !others.includes(name)).toSorted()).toEqual([
    where.slice(folder.length + 1).split('/')[0],
    'source',
  ]);
}

/** Converts, and expects an error and the folder as it was; returns the error. */
async function refusal(out: string, ...more: string[]): Promise<string> {
  const before = await readdir(folder, { recursive: true });
  const { out: said, err, code } = await convert(out, ...more);
  expect([said, code]).toEqual(['', 1]);
  expect(await readdir(folder, { recursive: true })).toEqual(before);
  return err;
}

describe('is made', () => {
  test('in the place of an empty folder, whose mode it keeps', async () => {
    await mkdir(at('out'));
    await chmod(at('out'), 0o710);
    await expectModel(at('out'), at('out'));
    expect((await stat(at('out'))).mode & 0o777).toBe(0o710);
  });

  test('with the folders above it, and again: whole already', async () => {
    await expectModel(at('new', 'deep', 'out'), at('new', 'deep', 'out'));
    expect(await readdir(at('new', 'deep'))).toEqual(['out']);
    expect((await convert(at('new', 'deep', 'out'))).out).toContain('is whole already');
  });

  test.each([
    ['empty/', 'empty'],
    ['empty/.', 'empty'],
    ['new/.', 'new'],
    ['new/deep/..', 'new'],
    ['new///', 'new'],
  ])('as %s', async (name, where) => {
    await mkdir(at('empty'));
    await expectModel(`${folder}/${name}`, at(where), where === 'empty' ? [] : ['empty']);
  });

  test('in the place of the empty folder that a link leads to; the link stays', async () => {
    await mkdir(at('elsewhere', 'empty'), { recursive: true });
    await symlink('elsewhere/empty', at('link'));
    await expectModel(at('link'), at('elsewhere', 'empty'), ['link']);
    expect(await readlink(at('link'))).toBe('elsewhere/empty');
    expect(await readdir(at('elsewhere'))).toEqual(['empty']);
    expect((await convert(at('link'))).out).toContain('is whole already');
  });

  test('by workers, in a folder that none has made yet', async () => {
    await mkdir(at('new'));
    await mkdir(at('new', 'out'));
    const out = at('new', 'out');
    for (const more of [['--shards', '0/1'], ['--finish']])
      expect((await convert(out, ...more)).code).toBeUndefined();
    expect(await readdir(at('new'))).toEqual(['out']);
  });
});

describe('is refused before any work', () => {
  test('a folder with something in it, if only a hidden file', async () => {
    await mkdir(at('out'));
    await writeFile(at('out', '.hidden'), '');
    expect(await refusal(at('out'))).toContain(
      'out: is there already; expected a name that is free, or an empty folder',
    );
    // Not after minutes of study.
    expect(await refusal(at('out'), '--report')).toContain('out: is there already');
  });

  test('a file, a link to one, and what lies below one', async () => {
    await writeFile(at('file'), '');
    await symlink('file', at('link'));
    expect(await refusal(at('file'))).toContain('file: is no folder; expected a name that is free');
    expect(await refusal(at('link'))).toContain('file: is no folder');
    expect(await refusal(at('file', 'a', 'out'))).toContain(`"${at('file')}" is no folder`);
  });

  test('a link that leads nowhere, and what lies below one', async () => {
    await symlink('nowhere', at('link'));
    expect(await refusal(at('link'))).toContain('link: is a link that leads nowhere');
    expect(await refusal(at('link', 'out'))).toContain(`"${at('link')}" is a link that leads nowhere`);
    expect((await lstat(at('link'))).isSymbolicLink()).toBe(true);
  });

  test('an empty name', async () => {
    expect(await refusal('')).toContain('expected the name of a folder, got ""');
  });

  test('the folder that the command runs in: the shell there would be nowhere', async () => {
    await mkdir(at('here'));
    for (const name of ['.', './', '../here']) {
      const line = `cd "${at('here')}"; gqa convert ../source --kv-heads 2 --out ${name}`;
      const { err, code } = await shell(line);
      expect(err).toContain('is the folder that this command runs in, which would be replaced');
      expect(code).toBe(1);
    }
    expect(await readdir(folder)).toEqual(['here', 'source']);
  });

  test('a disk of its own, whose name no folder can take', async ({ skip }) => {
    const disks = ['/dev/shm', '/dev/mqueue'];
    const empty = await Promise.all(
      disks.map(async (path) => (await readdir(path).catch(() => [''])).length === 0),
    );
    const disk = disks[empty.indexOf(true)];
    if (disk === undefined) return skip('no empty disk is mounted here');
    expect((await convert(disk)).err).toContain(`${disk}: is a disk of its own`);
  });

  test('a folder that the system lets nobody make', async () => {
    expect(await refusal('/proc/none/out')).toContain('the folder "/proc/none" cannot be made: E');
  });
});

describe('a conversion that fails', () => {
  test('leaves no folder that it made, and the empty one that was there', async () => {
    await mkdir(at('empty'));
    await rm(join(source, 'model.safetensors'));
    await refusal(at('new', 'deep', 'out'));
    await refusal(at('empty'));
    source = await writeCheckpoint(at('source'), CHECKPOINTS['llama']!);
    // Nothing was converted: there is nothing to finish.
    expect(await refusal(at('new', 'deep', 'out'), '--finish')).toContain('shards are not converted yet');
    expect(await refusal(at('empty'), '--finish')).toContain('shards are not converted yet');
  });

  test('on a full disk leaves no folder either', async () => {
    const out = at('new', 'deep', 'out');
    const line = `ulimit -f 12; gqa convert "${source}" --kv-heads 2 --out "${out}"`;
    const { err, code } = await shell(line);
    expect(err).toContain('could not be written: EFBIG');
    expect(code).toBe(1);
    expect(await readdir(folder)).toEqual(['source']);
  });
});
