// lock.ts: a file beside the target that one run holds while it makes it, so that a second one is told.
import { isRecord } from '../../../device/options.ts';
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { messageOf } from '../../../device/errors.ts';
import { fail } from '../../format/checkpointError.ts';

/** Who holds a lock. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly run: string;
}

/** Locks that this very process holds: a container that is started again has the name and number of the one before. */
const held = new Set<string>();

/** A holder says this often that it is alive. */
const BEAT_MS = 5000;
/** After this time without a beat a holder on another machine is taken for dead. */
const SILENT_MS = 120_000;

/**
 * Runs `act` while it holds the lock of `out`. One that a living run holds is a CheckpointError that names it; one that
 * was left behind is taken over.
 */
export async function withLock<T>(out: string, act: () => Promise<T>): Promise<T> {
  const path = `${out}.lock`;
  const run = randomUUID();
  const text = JSON.stringify({ pid: process.pid, host: hostname(), run } satisfies Holder);
  if (!(await create(path, text))) {
    await takeOver(path, out);
    if (!(await create(path, text))) refuse(path, out, await readHolder(path));
  }
  const beat = setInterval(() => {
    const now = new Date();
    // A beat that fails is followed by another.
    utimes(path, now, now).catch(() => undefined);
  }, BEAT_MS);
  beat.unref();
  held.add(run);
  try {
    return await act();
  } finally {
    clearInterval(beat);
    held.delete(run);
    if ((await readFile(path, 'utf8').catch(() => '')) === text) await rm(path, { force: true });
  }
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false;
    return fail(`${path}: cannot be made: ${messageOf(cause)}`, { cause });
  }
}

/** Removes a lock whose holder is dead. */
async function takeOver(path: string, out: string): Promise<void> {
  const holder = await readHolder(path);
  // One that was just made is empty for a moment.
  if (!holder && (await readFile(path, 'utf8').catch(() => '')) !== '')
    fail(`${path}: is there, but is no lock of this program; rename it, or choose another --out`);
  if (await isAlive(path, holder)) refuse(path, out, holder);
  const aside = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  // By renaming, so that of two that come at once only one goes on.
  await rename(path, aside).catch(() => refuse(path, out, holder));
  await rm(aside, { force: true });
}

function refuse(path: string, out: string, holder: Holder | undefined): never {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another run';
  return fail(
    `${out}: ${who} is making it now; wait for it, or choose another --out (if it is gone, remove ${path})`,
  );
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    const valid = isRecord(value) && typeof value['pid'] === 'number' && typeof value['host'] === 'string';
    return valid ? (value as unknown as Holder) : undefined;
  } catch {
    return undefined;
  }
}

async function isAlive(path: string, holder: Holder | undefined): Promise<boolean> {
  if (holder?.host === hostname()) {
    if (holder.pid === process.pid) return held.has(holder.run);
    try {
      process.kill(holder.pid, 0);
      return true;
    } catch (cause) {
      // A process of someone else's is there too.
      return cause instanceof Error && 'code' in cause && cause.code === 'EPERM';
    }
  }
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs < SILENT_MS;
}
