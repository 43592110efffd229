// outputFile.node.test.ts: what writing to a path does to whatever stands there, as root and not as root.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkOutput, writeOutput } from '../../src/files/outputFile.ts';
import { outputTarget } from '../../src/files/outputTarget.ts';
import { TEMPORARY, temporaryName } from '../../src/files/replaceFile.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-files-'));
});

afterEach(() => {
  chmodSync(folder, 0o755);
  rmSync(folder, { recursive: true, force: true });
});

const at = (...names: string[]) => join(folder, ...names);

/** The reason that a check and a write give alike. */
async function refusal(path: string): Promise<string> {
  const before = readdirSync(folder);
  const checked = await checkOutput(path).then(
    () => 'fine',
    (error: Error) => error.message,
  );
  await expect(writeOutput(path, ['x'])).rejects.toThrow(checked);
  expect(readdirSync(folder)).toEqual(before);
  return checked;
}

describe('a regular file', () => {
  test('is made of texts and bytes, the check before leaves nothing', async () => {
    await checkOutput(at('new'));
    expect(readdirSync(folder)).toEqual([]);
    await writeOutput(at('new'), ['né', new Uint8Array([1, 2, 3, 4]).subarray(1, 3), '']);
    expect([...readFileSync(at('new'))]).toEqual([...Buffer.from('né'), 2, 3]);
    expect(readdirSync(folder)).toEqual(['new']);
  });

  test.each([0o600, 0o640, 0o755])('is replaced by another one, its mode %o stays', async (mode) => {
    writeFileSync(at('old'), 'a longer text than the new one');
    chmodSync(at('old'), mode);
    const { ino } = statSync(at('old'));
    await writeOutput(at('old'), ['new']);
    expect(readFileSync(at('old'), 'utf8')).toBe('new');
    expect(statSync(at('old')).mode & 0o7777).toBe(mode);
    expect(statSync(at('old')).ino).not.toBe(ino);
  });

  test('may have the longest name there is', async () => {
    for (const name of ['x'.repeat(255), '🦙'.repeat(63)]) {
      await checkOutput(at(name));
      await writeOutput(at(name), ['x']);
      expect(temporaryName(at(name))).toMatch(TEMPORARY);
    }
    expect(readdirSync(folder)).toHaveLength(2);
  });

  test('a disk that gets full: an error, the old file whole, nothing beside it', async () => {
    writeFileSync(at('old'), 'old');
    // In a process of its own: the limit cannot be raised again. Root is held to it too.
    const module = new URL('../../src/files/outputFile.ts', import.meta.url).pathname;
    const code = `
      const { runnerImport } = await import('vite');
      const { module } = await runnerImport(${JSON.stringify(module)}, { configFile: false, logLevel: 'warn' });
      await module.writeOutput(${JSON.stringify(at('old'))}, ['x'.repeat(3000)]).catch((e) => console.error(e.message));`;
    const line = `trap '' XFSZ; ulimit -f 1; exec "$0" --input-type=module -e "$1"`;
    const { stderr } = spawnSync('bash', ['-c', line, process.execPath, code], { encoding: 'utf8' });
    expect(stderr).toBe('EFBIG: file too large, write\n');
    expect(readFileSync(at('old'), 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['old']);
  });
});

describe('links', () => {
  test('the target is replaced, however many links lead there, and the links stay', async () => {
    mkdirSync(at('there'));
    writeFileSync(at('there', 'target'), 'old');
    symlinkSync('there/target', at('inner'));
    symlinkSync(at('inner'), at('outer'));
    await checkOutput(at('outer'));
    await writeOutput(at('outer'), ['new']);
    expect(readFileSync(at('there', 'target'), 'utf8')).toBe('new');
    expect([readlinkSync(at('outer')), readlinkSync(at('inner'))]).toEqual([at('inner'), 'there/target']);
    expect(readdirSync(at('there'))).toEqual(['target']);
  });

  test('a dangling one gets its target, relative to the folder that it really lies in', async () => {
    mkdirSync(at('real', 'deep'), { recursive: true });
    symlinkSync('real/deep', at('way'));
    symlinkSync('../target', at('real', 'deep', 'link'));
    await writeOutput(at('way', 'link'), ['new']);
    expect(readFileSync(at('real', 'target'), 'utf8')).toBe('new');
    expect(lstatSync(at('real', 'deep', 'link')).isSymbolicLink()).toBe(true);
  });

  test('in a circle', async () => {
    symlinkSync('b', at('a'));
    symlinkSync('a', at('b'));
    expect(await refusal(at('a'))).toMatch(/ELOOP|too many symbolic links/);
  });
});

describe('folders that are missing', () => {
  test('are made for the file, also behind a link', async () => {
    symlinkSync('linked/x', at('link'));
    for (const path of [at('new', 'deep', 'x'), at('link')]) {
      await checkOutput(path);
      expect(readdirSync(folder)).not.toContain('linked');
      await writeOutput(path, ['text']);
      expect(readFileSync(path, 'utf8')).toBe('text');
    }
    expect(readdirSync(folder).toSorted()).toEqual(['link', 'linked', 'new']);
  });

  test('the check, and a write that fails, leave none of them', async () => {
    await checkOutput(at('new', 'deep', 'x'));
    expect(readdirSync(folder)).toEqual([]);
    const gone = new Uint8Array(8);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    await expect(writeOutput(at('new', 'deep', 'x'), [gone])).rejects.toThrow();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('one that is not ours to remove stays', async () => {
    mkdirSync(at('mine'));
    await checkOutput(at('mine', 'deep', 'x'));
    expect(readdirSync(at('mine'))).toEqual([]);
    mkdirSync(at('mine', 'y'));
    await expect(writeOutput(at('mine', 'y'), ['text'])).rejects.toThrow('it is a folder');
    expect(readdirSync(at('mine'))).toEqual(['y']);
  });

  test('cannot be made below a file, a link that leads nowhere, a name too long, where the disk takes none', async () => {
    writeFileSync(at('file'), '');
    symlinkSync('nowhere', at('link'));
    const long = 'x'.repeat(256);
    expect(await refusal(at('file', 'deep', 'x'))).toBe(`"${at('file')}" is no folder`);
    expect(await refusal(at('link', 'deep', 'x'))).toBe(`"${at('link')}" is a link that leads nowhere`);
    expect(await refusal(at('new', long, 'x'))).toContain(`${long}" cannot be made: ENAMETOOLONG`);
    expect(await refusal('/proc/none/x')).toContain('the folder "/proc/none" cannot be made: E');
    expect(readdirSync(folder).toSorted()).toEqual(['file', 'link']);
  });
});

describe('everything else', () => {
  test('a FIFO stays one, and its reader gets the bytes', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    const reader = spawn('cat', [at('fifo')]);
    const read: Buffer[] = [];
    reader.stdout.on('data', (data: Buffer) => read.push(data));
    const closed = new Promise((resolve) => reader.on('close', resolve));
    await checkOutput(at('fifo'));
    const large = 'x'.repeat(300_000); // more than a pipe holds
    await writeOutput(at('fifo'), ['begin ', large]);
    await closed;
    expect(Buffer.concat(read).toString()).toBe(`begin ${large}`);
    expect(lstatSync(at('fifo')).isFIFO()).toBe(true);
  });

  test('a device gets the bytes and stays one: /dev/full refuses them, /dev/null takes them', async () => {
    symlinkSync('/dev/full', at('full'));
    for (const path of ['/dev/full', at('full')]) {
      await checkOutput(path);
      await expect(writeOutput(path, ['x'])).rejects.toThrow('ENOSPC');
    }
    await writeOutput('/dev/null', ['x']);
    expect(['/dev/full', '/dev/null'].map((path) => lstatSync(path).isCharacterDevice())).toEqual([
      true,
      true,
    ]);
    expect(readlinkSync(at('full'))).toBe('/dev/full');
  });

  test('a folder, an empty name, a folder that is none, a socket', async () => {
    writeFileSync(at('file'), '');
    const server = createServer();
    await new Promise<void>((listening) => server.listen(at('socket'), listening));
    try {
      expect(await refusal(folder)).toBe('expected a file, it is a folder');
      expect(await refusal(at('none/'))).toBe('expected a file, got the name of a folder');
      expect(await refusal('')).toBe('expected a file, got an empty name');
      expect(await refusal(at('file', 'x'))).toBe(`"${at('file')}" is no folder`);
      expect(await refusal(at('socket'))).toBe('expected a file, it is a socket');
    } finally {
      server.close();
    }
  });

  test.each([
    '/dev/stdout',
    '/dev/fd/1',
    '/proc/self/fd/1',
    `/proc/${process.pid}/fd/1`,
    '/proc/thread-self/fd/1',
  ])('%s is the descriptor itself', (path) => {
    expect(outputTarget(path)).toEqual({ kind: 'descriptor', fd: 1 });
    expect(() => outputTarget('/proc/self/fd/')).toThrow('name of a folder');
  });

  test('a descriptor that is not open is refused', async () => {
    await expect(checkOutput('/proc/self/fd/987')).rejects.toThrow('EBADF');
    await expect(writeOutput('/dev/fd/987', ['x'])).rejects.toThrow('EBADF');
  });

  test('a descriptor that is open for reading alone is refused by the check already', async () => {
    writeFileSync(at('read'), '');
    const fds = [openSync(at('read'), 'r'), openSync(at('read'), 'r+')];
    try {
      await expect(checkOutput(`/dev/fd/${fds[0]}`)).rejects.toThrow('open for reading alone');
      await checkOutput(`/dev/fd/${fds[1]}`);
    } finally {
      fds.forEach((fd) => closeSync(fd));
    }
  });

  test('the file behind stdout is refused by its name: it would take what was printed with it', () => {
    const module = fileURLToPath(new URL('../../src/files/outputFile.ts', import.meta.url));
    const code = `import { runnerImport } from 'vite';
      const { module } = await runnerImport(${JSON.stringify(module)}, { configFile: false });
      await module.checkOutput(process.argv[1]).catch(({ message }) => process.stderr.write(message));`;
    const stdout = openSync(at('printed'), 'w');
    const args = ['--input-type=module', '-e', code];
    const stderrFor = (path: string) =>
      spawnSync(process.execPath, [...args, path], { stdio: ['ignore', stdout, 'pipe'], encoding: 'utf8' })
        .stderr;
    expect(stderrFor(at('printed'))).toBe('stdout goes to this file already');
    expect(stderrFor(at('another'))).toBe('');
    closeSync(stdout);
  });
});

/** Runs as somebody whom permissions hold back: root is not. */
async function unprivileged(act: () => Promise<void>): Promise<void> {
  const root = process.geteuid!() === 0;
  if (root) process.seteuid!(65534);
  try {
    await act();
  } finally {
    if (root) process.seteuid!(0);
  }
}

describe('permissions', () => {
  test('a folder that cannot be written, a file that cannot: refused by the check already', async () => {
    mkdirSync(at('closed'), { mode: 0o555 });
    mkdirSync(at('open'));
    chmodSync(at('open'), 0o777);
    writeFileSync(at('open', 'mine'), 'old', { mode: 0o444 });
    chmodSync(folder, 0o755);
    await unprivileged(async () => {
      await expect(checkOutput(at('closed', 'x'))).rejects.toThrow('EACCES');
      await expect(writeOutput(at('closed', 'x'), ['x'])).rejects.toThrow('EACCES');
      await expect(checkOutput(at('open', 'mine'))).rejects.toThrow('EACCES');
      await expect(writeOutput(at('open', 'mine'), ['x'])).rejects.toThrow('EACCES');
      await checkOutput(at('open', 'new'));
      await writeOutput(at('open', 'new'), ['new']);
    });
    expect(readdirSync(at('open'))).toEqual(['mine', 'new']);
    expect(readFileSync(at('open', 'mine'), 'utf8')).toBe('old');
  });

  test("the file of another user, replaced by root, stays that user's", async (context) => {
    if (process.geteuid!() !== 0) context.skip('only root can give files away');
    writeFileSync(at('theirs'), 'old', { mode: 0o600 });
    execFileSync('chown', ['65534:65534', at('theirs')]);
    await writeOutput(at('theirs'), ['new']);
    const { uid, gid, mode } = statSync(at('theirs'));
    expect([uid, gid, mode & 0o777]).toEqual([65534, 65534, 0o600]);
  });
});
