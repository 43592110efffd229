// pageServer.node.test.ts: the server of the built page: what it serves, how, and what it does not.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { servePage, type PageServer } from '../../src/node/page/pageServer.ts';

const root = mkdtempSync(join(tmpdir(), 'gqa-serve-'));
const folder = join(root, 'page');
let server: PageServer;

beforeAll(async () => {
  mkdirSync(join(folder, 'assets'), { recursive: true });
  mkdirSync(join(folder, 'headless'));
  writeFileSync(join(root, 'secret.txt'), 'secret');
  writeFileSync(join(folder, 'index.html'), '<p>page</p>');
  writeFileSync(join(folder, 'headless/index.html'), '<p>headless</p>');
  writeFileSync(join(folder, 'assets/a.js'), 'export {};');
  writeFileSync(join(folder, 'assets/a.css'), 'p {}');
  writeFileSync(join(folder, 'assets/a.wasm'), 'wasm');
  server = await servePage({ folder });
});

afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

const get = (path: string, init?: RequestInit) => fetch(new URL(path, server.address), init);

describe('what it serves', () => {
  test.each([
    ['', 'text/html; charset=utf-8', '<p>page</p>'],
    ['?depth=64&run', 'text/html; charset=utf-8', '<p>page</p>'],
    ['headless/', 'text/html; charset=utf-8', '<p>headless</p>'],
    ['assets/a.js', 'text/javascript; charset=utf-8', 'export {};'],
    ['assets/a.css', 'text/css; charset=utf-8', 'p {}'],
    ['assets/a.wasm', 'application/wasm', 'wasm'],
  ])('/%s as %s, isolated', async (path, type, body) => {
    const response = await get(path);
    expect([response.status, await response.text()]).toEqual([200, body]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': type,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-cache',
    });
  });

  test('no body to HEAD', async () => {
    const head = await get('assets/a.js', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
  });
});

/** What comes back for a path exactly as it is written: `fetch` would take the dots out. */
async function raw(path: string): Promise<string> {
  const { hostname, port } = new URL(server.address);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.end(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  return text(socket);
}

describe('what it does not', () => {
  test.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%5csecret.txt',
    '//secret.txt',
    `${root}/secret.txt`,
    `/${root}/secret.txt`,
    '/secret.txt',
    '/%',
    '/assets',
    '/absent.js',
  ])('%s', async (path) => {
    const response = await raw(path);
    expect(response).toMatch(/^HTTP\/1\.1 404 /);
    expect(response).not.toContain('secret\n');
    expect(response).toMatch(/\r\n\r\n(?:4\r\n)?404\n/);
  });

  test.each(['POST', 'PUT', 'DELETE'])('%s', async (method) => {
    expect((await get('', { method })).status).toBe(405);
  });
});

describe('where it listens', () => {
  test('a port that is taken is named, with what to do', async () => {
    const port = Number(new URL(server.address).port);
    await expect(servePage({ folder, port })).rejects.toMatchObject({
      code: 'serve',
      message: `cannot listen on port ${port} of 127.0.0.1: another program listens there; expected a free port (--port 0 takes any)`,
    });
  });

  test('an address that this machine does not have', async () => {
    await expect(servePage({ folder, host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'serve',
      message: expect.stringMatching(
        /^cannot listen on port 0 of 192\.0\.2\.1: this machine has no such address$/,
      ),
    });
  });

  test('on all addresses: the one printed is one that a browser here can open', async () => {
    const all = await servePage({ folder, host: '0.0.0.0' });
    expect(all.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(await (await fetch(all.address)).text()).toBe('<p>page</p>');
    await all.close();
  });

  test('it closes though a connection is open', async () => {
    const other = await servePage({ folder });
    await (await fetch(other.address)).text();
    await other.close();
    await expect(fetch(other.address)).rejects.toThrow();
  });
});
