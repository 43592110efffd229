// pageServer.ts: serves the built page to browsers of this machine.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join, relative } from 'node:path';
import { lookup } from 'mrmime';
import { GqaError, messageOf } from '../../device/errors.ts';
import { isolation } from '../isolation.ts';

/** Answers a request, or returns false to leave it to the files. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => boolean;

/** What to serve, and where to listen. */
export interface PageServerOptions {
  readonly folder: string;
  /** Default 127.0.0.1: nobody but this machine. */
  readonly host?: string;
  /** 0, the default, is any that is free. */
  readonly port?: number;
  /** Asked before the files. */
  readonly answer?: Answer;
}

/** A server that listens. */
export interface PageServer {
  /** For a browser on this machine: `http://127.0.0.1:4747/`. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves the files that a folder has when it starts, and nothing else, with the headers of cross-origin isolation. Throws
 * GqaError `serve` where it cannot listen.
 */
export async function servePage(options: PageServerOptions): Promise<PageServer> {
  const { folder, host = '127.0.0.1', port = 0, answer } = options;
  const files = filesOf(folder);
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    if (!answer?.(request, response)) void sendFile(files, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(cannotListen(host, port, cause)));
    server.listen(port, host, resolve);
  });
  const { port: own } = server.address() as AddressInfo;
  return {
    address: `http://${inAddress(host)}:${own}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Browsers keep connections open.
        server.closeAllConnections();
      }),
  };
}

const HEADERS = { ...isolation, 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-cache' };

/** Where the files of a folder lie, by their paths in an address. What is not a file itself, a link say, is none of them. */
function filesOf(folder: string): ReadonlyMap<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) =>
    each.isFile(),
  );
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [`/${relative(folder, path).replaceAll('\\', '/')}`, path]));
}

/** A path that is not among the files is not found, however it is written: no path of a request is ever looked up on disk. */
async function sendFile(
  files: ReadonlyMap<string, string>,
  { method, url = '' }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (method !== 'GET' && method !== 'HEAD') return refuse(response, 405);
  const [path = ''] = url.split('?');
  const file = files.get(path.endsWith('/') ? `${path}index.html` : path);
  if (file === undefined) return refuse(response, 404);
  const body = await readFile(file).catch(() => undefined);
  if (!body) return refuse(response, 404);
  const type = lookup(file) ?? 'application/octet-stream';
  response
    .writeHead(200, {
      'Content-Type': type.startsWith('text/') ? `${type}; charset=utf-8` : type,
      'Content-Length': body.length,
    })
    .end(body);
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'Content-Type': 'text/plain' }).end(`${status}\n`);
}

/** The host as this machine's browsers reach it. */
function inAddress(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there; expected a free port (--port 0 takes any)',
  EACCES: 'this user may not listen there; expected a port from 1024 on',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no such host',
};

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): GqaError {
  const why = REASONS[cause.code ?? ''] ?? messageOf(cause);
  return new GqaError('serve', `cannot listen on port ${port} of ${host}: ${why}`, { cause });
}
