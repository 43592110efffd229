// threads.node.test.ts: threads that are used again: by whom, after what, and never one that has ended.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Copier } from '../../src/checkpoint/convert/disk/copier.ts';
import { hashInWorker, type HashJob } from '../../src/checkpoint/convert/disk/hash.ts';
import { giveBack, takeThread } from '../../src/checkpoint/convert/disk/threads.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gqa-threads-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a thread that was given back is the next one of its kind; two at a time are two', async () => {
  const [first, second] = [takeThread('hashWorker.js'), takeThread('hashWorker.js')];
  expect(first).not.toBe(second);
  giveBack('hashWorker.js', first);
  const other = takeThread('copyWorker.js');
  expect(other).not.toBe(first);
  expect(takeThread('hashWorker.js')).toBe(first);
  writeFileSync(join(folder, 'bytes'), 'abc');
  const job: HashJob = { path: join(folder, 'bytes'), ranges: [{ begin: 0, length: 3 }] };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  first.postMessage(job);
  const sha256 = createHash('sha256').update('abc').digest('hex');
  expect(await once(first, 'message')).toEqual([{ bytes: 3, sha256 }]);
  await Promise.all([first, second, other].map((thread) => thread.terminate()));
});

test('one that has ended is taken by nobody, whenever it ended', async () => {
  const [before, after] = [takeThread('hashWorker.js'), takeThread('hashWorker.js')];
  await before.terminate();
  giveBack('hashWorker.js', before);
  giveBack('hashWorker.js', after);
  await after.terminate();
  const next = takeThread('hashWorker.js');
  expect([before, after]).not.toContain(next);
  await next.terminate();
});

test('hashing goes on after a file that is not there, one that is too short, and one that was stopped', async () => {
  const path = join(folder, 'bytes');
  const bytes = Buffer.from('abcdefgh');
  writeFileSync(path, bytes);
  const hashOf = async (name: string, length: number) => {
    const hash = hashInWorker(join(folder, name), [
      { begin: 1, length },
      { begin: 0, length: 1 },
    ]);
    return hash.sha256.finally(hash.stop);
  };
  const right = createHash('sha256').update('bcda').digest('hex');
  expect(await hashOf('bytes', 3)).toBe(right);
  await expect(hashOf('none', 3)).rejects.toThrow(/none: cannot be read: ENOENT/);
  await expect(hashOf('bytes', 9)).rejects.toThrow('bytes: cannot be read: it ends at byte 8; was it cut');
  const stopped = hashInWorker(path, [{ begin: 0, length: 8 }]);
  stopped.stop();
  await expect(stopped.sha256).rejects.toThrow('bytes: was not hashed to its end');
  expect(await hashOf('bytes', 3)).toBe(right);
});

test('copying goes on after a failure', async () => {
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  writeFileSync(from, 'abcdefgh');
  const copy = async (length: number) => {
    writeFileSync(to, '');
    const copier = new Copier();
    const stretches = [
      { begin: 4, length, to: 0 },
      { begin: 0, length: 2, to: 4 },
    ];
    await copier.copy({ from, to, stretches, onBytes: () => {} }).finally(() => copier.close());
    return readFileSync(to, 'utf8');
  };
  expect(await copy(4)).toBe('efghab');
  await expect(copy(5)).rejects.toThrow('the source ends at byte 8; was it cut while open?');
  expect(await copy(4)).toBe('efghab');
});
