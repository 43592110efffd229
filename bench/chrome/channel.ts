// channel.ts: Node's end of what a page says: its messages in turn, and the word that stops it.
import { randomUUID } from 'node:crypto';
import { EventEmitter, on } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { GqaError } from '../../src/device/errors.ts';
import { fromText, type FromChrome, pathsOf, toText } from './protocol.ts';

/** A message; the page goes on when it has its reply. */
export interface Said {
  readonly message: FromChrome;
  readonly reply: (value?: unknown) => void;
}

const LONGEST_END_MS = 1000;

/** Answers the requests of one page. */
export class Channel {
  /** The page's, in its address. */
  readonly token = randomUUID();
  readonly #paths = pathsOf(this.token);
  readonly #events = new EventEmitter();
  readonly #said = on(this.#events, 'said') as AsyncIterableIterator<[Said]>;
  #stop: ServerResponse | undefined;
  #isOver = false;

  constructor() {
    // One that comes when nobody waits for messages any more says nothing new.
    this.#events.on('error', () => {});
  }

  /** Its messages, up to the error that `fail` is given. */
  async *messages(): AsyncGenerator<Said> {
    for await (const [said] of this.#said) yield said;
  }

  /** No message will come any more, because of this. */
  fail(error: Error): void {
    if (!this.#isOver) this.#events.emit('error', error);
    this.#isOver = true;
  }

  /** Whatever the page does from now on is its end, and no failure. */
  end(): void {
    this.#isOver = true;
  }

  /** Has the page end its run early; one that does not listen yet has nothing to end. */
  stop(reason: Error): void {
    if (this.#stop) this.#stop.end(reason.message);
    else this.fail(reason);
  }

  /** Of a server: whether it was the page's request. */
  readonly answer = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (request.method !== 'POST') return false;
    if (request.url === this.#paths.stop) this.#hold(response);
    else if (request.url === this.#paths.say) void this.#take(request, response);
    else return false;
    return true;
  };

  #hold(response: ServerResponse): void {
    this.#stop = response;
    // Now, so that the page knows that it is heard.
    response.flushHeaders();
    response.on('close', () => {
      if (response.writableEnded) return;
      const gone = new GqaError('page-gone', 'the page in the browser is gone: it has crashed');
      // A browser that has ended, and its page with it, says more about it.
      setTimeout(() => this.fail(gone), LONGEST_END_MS).unref();
    });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const message = fromText(await text(request)) as FromChrome;
      const said: Said = { message, reply: (value = null) => response.end(toText(value)) };
      if (!this.#isOver) this.#events.emit('said', said);
    } catch {
      // The request broke off; that the page is gone is seen where it listens.
    }
  }
}
