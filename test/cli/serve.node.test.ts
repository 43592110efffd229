// serve.node.test.ts: `gqa serve` as a process: the address, the browser that it opens or does not, and its end.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { noBrowser } from '../../cli/serve/noBrowser.ts';
import { builtGqa } from '../support/builtGqa.ts';
import { gqaMain } from '../support/gqaMain.ts';

const folder = mkdtempSync(join(tmpdir(), 'gqa-serve-'));
let gqa: string;

beforeAll(async () => {
  gqa = await builtGqa();
  // As in a package: the page lies beside the command.
  const page = join(dirname(gqa), 'page');
  mkdirSync(page, { recursive: true });
  writeFileSync(join(page, 'index.html'), '<p>the page</p>');
});

afterAll(() => rmSync(folder, { recursive: true }));

/** A machine without a screen, and without what would keep a browser from being opened where there is one. */
const BARE = { PATH: `${folder}:${process.env['PATH']}`, HOME: folder };

interface Serving {
  readonly child: ChildProcess;
  readonly address: string;
  /** So far. */
  readonly err: () => string;
}

/** Starts it, up to where it has printed its address. */
async function serving(args: readonly string[], env: NodeJS.ProcessEnv = BARE): Promise<Serving> {
  const child = spawn(process.execPath, [gqa, 'serve', '--port', '0', ...args], { env });
  let [out, err] = ['', ''];
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  await vi.waitFor(() => expect(out).toMatch(/\n$/), 20_000);
  const [, address] = /^gqa-webgpu \S+: (http:\S+)\n$/.exec(out)!;
  return { child, address: address!, err: () => err };
}

test.each(['SIGINT', 'SIGTERM'] as const)(
  'serves until %s, which is its end and no failure',
  async (signal) => {
    const { child, address, err } = await serving([]);
    expect(await (await fetch(address)).text()).toBe('<p>the page</p>');
    await vi.waitFor(() => expect(err()).toContain('no display'));
    const ended = once(child, 'exit');
    child.kill(signal);
    expect(await ended).toEqual([0, null]);
    expect(err()).toBe(
      'Ctrl-C ends it\nnote     no browser is opened: there is no display; open the address where there is one\n',
    );
  },
);

describe('the browser', () => {
  test('is opened on the address with the settings', { timeout: 60_000 }, async () => {
    const [opener, opened] = [join(folder, 'xdg-open'), join(folder, 'opened')];
    writeFileSync(opener, `#!/bin/sh\necho "$1" > ${opened}.part && mv ${opened}.part ${opened}\n`, {
      mode: 0o755,
    });
    const { child, address, err } = await serving(['depth=4096&run'], { ...BARE, DISPLAY: ':99' });
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?depth=4096&run$/);
    await vi.waitFor(() => expect(existsSync(opened)).toBe(true), 20_000);
    expect(readFileSync(opened, 'utf8')).toBe(`${address}\n`);
    expect(err()).toBe('Ctrl-C ends it\n');
    rmSync(opener);
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    await ended;
  });

  test('that cannot be opened is told, and the page is served all the same', async () => {
    const { child, address, err } = await serving([], { PATH: folder, HOME: folder, DISPLAY: ':99' });
    await vi.waitFor(() => expect(err()).toContain('\nnote'), 20_000);
    expect(err()).toMatch(/^note {5}no browser could be opened \(.*ENOENT\): open the address in one$/m);
    expect((await fetch(address)).status).toBe(200);
    child.kill('SIGINT');
    await once(child, 'exit');
  });

  const address = new URL('http://127.0.0.1:4747/');

  test.each([
    [{ CI: 'true', DISPLAY: ':0' }, 'linux', /CI/],
    [{ SSH_CONNECTION: '1 2 3 4', DISPLAY: ':0' }, 'linux', /ssh -L 4747:127\.0\.0\.1:4747/],
    [{ SSH_TTY: '/dev/pts/0' }, 'darwin', /remote shell/],
    [{}, 'linux', /no display/],
  ] as const)('is not opened with %o on %s', (env, platform, why) => {
    expect(noBrowser(address, env, platform)).toMatch(why);
  });

  test.each([
    [{ DISPLAY: ':0' }, 'linux'],
    [{ WAYLAND_DISPLAY: 'wayland-0' }, 'linux'],
    [{ WSL_DISTRO_NAME: 'Ubuntu' }, 'linux'],
    [{}, 'darwin'],
    [{}, 'win32'],
  ] as const)('is opened with %o on %s', (env, platform) => {
    expect(noBrowser(address, env, platform)).toBeUndefined();
  });
});

test('a host that others can reach is warned of', async () => {
  const { child, address, err } = await serving(['--host', '0.0.0.0', '--no-open']);
  expect(address).toMatch(/^http:\/\/127\.0\.0\.1:/);
  await vi.waitFor(() => expect(err()).toContain('Ctrl-C'));
  expect(err()).toMatch(/^warning {2}--host 0\.0\.0\.0: others can reach this port/);
  child.kill('SIGINT');
  await once(child, 'exit');
});

describe('refused', () => {
  test('a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { err, code } = await gqaMain('serve', '--no-open', '--port', String(port));
    expect(code).toBe(1);
    expect(err).toContain(`error: cannot listen on port ${port} of 127.0.0.1: another program listens there`);
    other.close();
  });

  test.each([['65536'], ['-1'], ['http']])('--port %s', async (port) => {
    const { err, code } = await gqaMain('serve', '--port', port);
    expect(code).toBe(1);
    expect(err).toContain('expected a whole number from 0 to 65535');
  });
});
