// serve.ts: `gqa serve`: the page, on this machine.
import { Argument, Option, type Command } from 'commander';
import { isIP } from 'node:net';
import { version } from '../../package.json';
import { messageOf } from '../../src/device/errors.ts';
import { builtPage } from '../../src/node/page/builtPage.ts';
import { servePage } from '../../src/node/page/pageServer.ts';
import { wholeNumber } from '../../src/node/command/usage.ts';
import { noBrowser } from './noBrowser.ts';

/** What the page remembers, a browser keeps by its address: another port would be another page. */
const PORT = 4747;

const EXAMPLES = `
Examples:
  gqa serve                                     serves the page and opens it in a browser
  gqa serve 'depth=4096&kv-heads=32,8,1&run'    with settings of the page: a run that starts by itself
  gqa serve --port 0 --no-open                  on any free port; the address is printed

Ctrl-C ends it. The page works without a network, and nothing is sent anywhere.`;

interface ServeFlags {
  readonly port: number;
  readonly host: string;
  readonly open: boolean;
}

/** Adds the `serve` command. The address goes to the program's `writeOut`, all else to stderr. */
export function registerServe(program: Command): void {
  const serve = program
    .command('serve')
    .description('open the page on this machine: the benchmark, and models, in a browser')
    .addArgument(new Argument('[settings]', "of the page, as in its address: 'depth=4096&run'"))
    .addOption(
      new Option('--port <n>', 'port to listen on; 0 for any that is free').argParser(port).default(PORT),
    )
    .addOption(
      new Option(
        '--host <address>',
        'address to listen on; others may reach any but those of this machine alone',
      ).default('127.0.0.1'),
    )
    .addOption(new Option('--no-open', 'open no browser'))
    .addHelpText('after', EXAMPLES)
    .action((settings: string | undefined, flags: ServeFlags) => run(serve, flags, settings));
}

function port(text: string): number {
  return wholeNumber(text, 0, 65_535);
}

async function run(command: Command, flags: ServeFlags, settings?: string): Promise<void> {
  const { host } = flags;
  const server = await servePage({ folder: builtPage(say), host, port: flags.port });
  const ended = interrupted();
  const address = new URL(server.address);
  if (settings !== undefined) address.search = settings;
  if (!isLoopback(host))
    say(
      `warning  --host ${host}: others can reach this port, and browsers elsewhere give a page of an http address no WebGPU`,
    );
  command.configureOutput().writeOut?.(`gqa-webgpu ${version}: ${address.href}\n`);
  say('Ctrl-C ends it');
  if (flags.open) await show(address);
  await ended;
  await server.close();
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Resolves at Ctrl-C, which is how a server is meant to end. A second one has its usual effect. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      process.off('SIGINT', end).off('SIGTERM', end);
      resolve();
    };
    process.on('SIGINT', end).on('SIGTERM', end);
  });
}

/** Opens a person's browser where there is one to see. A server goes on without it. */
async function show(address: URL): Promise<void> {
  const why = noBrowser(address);
  if (why !== undefined) return say(`note     no browser is opened: ${why}`);
  try {
    const { default: open } = await import('open');
    await open(address.href);
  } catch (error) {
    say(`note     no browser could be opened (${messageOf(error)}): open the address in one`);
  }
}
