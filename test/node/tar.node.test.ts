// tar.node.test.ts: archives made by hand, good and bad, and unpacking to disk.
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readTar, unpackTar } from '../../src/node/tar.ts';

interface Member {
  readonly name: string;
  readonly body?: string;
  readonly mode?: string;
  readonly type?: string;
  readonly prefix?: string;
}

const BLOCK = 512;
const END = new Uint8Array(2 * BLOCK);

/** One header and its padded body, by the ustar table of POSIX. */
function member({ name, body = '', mode = '0000644', type = '0', prefix = '' }: Member): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write(mode, 100);
  header.write(body.length.toString(8).padStart(11, '0'), 124);
  header.write(type, 156);
  header.write('ustar\u000000', 257);
  header.write(prefix, 345);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padded = Buffer.alloc(Math.ceil(body.length / BLOCK) * BLOCK);
  padded.write(body);
  return Buffer.concat([header, padded]);
}

const archive = (...members: Member[]) => Buffer.concat([...members.map(member), END]);

describe('readTar', () => {
  test('reads files and folders, in order, with long names joined from the prefix', () => {
    const long = 'x'.repeat(513);
    const tar = archive(
      { name: 'lib/', type: '5' },
      { name: 'a.so', prefix: 'lib/deep', body: long, mode: '0000755' },
      { name: 'old', type: '\0', body: 'end' },
    );
    const entries = readTar(tar).map(({ path, mode, bytes }) => [path, mode, Buffer.from(bytes).toString()]);
    expect(entries).toEqual([
      ['lib/', 0o755, ''],
      ['lib/deep/a.so', 0o755, long],
      ['old', 0o644, 'end'],
    ]);
  });

  test.each(['../evil', 'a/../../evil', '/etc/evil', '..', 'a/..\\..\\evil', ''])(
    'refuses the path "%s"',
    (name) => {
      expect(() => readTar(archive({ name, body: 'x' }))).toThrow(
        `readTar: member "${name}" would be written outside the target folder`,
      );
    },
  );

  test('a prefix cannot lead out either', () => {
    expect(() => readTar(archive({ name: 'evil', prefix: '..' }))).toThrow(
      '"../evil" would be written outside',
    );
  });

  test('refuses links', () => {
    expect(() => readTar(archive({ name: 'link', type: '2' }))).toThrow(
      'readTar: link: expected a file or folder, got member type "2"',
    );
  });

  test('reports a damaged header, a cut body and a missing end', () => {
    const tar = archive({ name: 'a', body: 'hello' });
    const damaged = Buffer.from(tar);
    damaged[0] = 'b'.charCodeAt(0);
    expect(() => readTar(damaged)).toThrow(/damaged header at byte 0: sum \d+, expected \d+/);
    expect(() => readTar(tar.subarray(0, BLOCK + 3))).toThrow(
      'a: expected 5 bytes, the archive ends after 3',
    );
    expect(() => readTar(tar.subarray(0, 2 * BLOCK))).toThrow('the archive of 1024 bytes has no end mark');
  });
});

test('unpackTar writes files with their permissions', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gqa-tar-'));
  try {
    unpackTar(
      archive({ name: 'empty/', type: '5' }, { name: 'bin/run', body: 'go', mode: '0000755' }),
      folder,
    );
    expect(statSync(join(folder, 'empty')).isDirectory()).toBe(true);
    expect(readFileSync(join(folder, 'bin/run'), 'utf8')).toBe('go');
    expect(statSync(join(folder, 'bin/run')).mode & 0o777).toBe(0o755);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
