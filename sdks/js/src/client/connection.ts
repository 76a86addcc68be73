import { fromUtf8 } from "../bytes.js";
import { errorFromAnswer, errorFromObject, P4Error } from "../errors.js";
import {
  ConnectionBroken,
  type Endpoint,
  NotSent,
  Refused,
  type Transport,
  type TransportAnswer,
  type TransportSocket,
} from "../platform/transport.js";
import { parseEvents, type ServerSentEvent } from "./sse.js";
import { type Parameters, query } from "./values.js";

/** Event of ours: from here on events come, and some may have been missed before. */
export const FEED_OPENED = "feed.opened";

const REPEATABLE = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]); // RFC 9110, section 9.2.2
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2000;
/** A daemon that lives says something on a stream of events every 20 s. */
const SILENCE_MS = 60_000;
const REQUEST_MS = 60_000;

/** How a request is to be made. */
export interface RequestOptions {
  /** A JSON value; undefined for none. */
  body?: unknown;
  /**
   * The body, if it is JSON text already.
   *
   * @internal
   */
  json?: string;
  /** Of the query; what is null is left out. */
  parameters?: Parameters;
  /** Whether it may reach the daemon twice, if that restarts; by default if the method may. */
  repeatable?: boolean;
  /** For one attempt; 60 by default. */
  timeoutSeconds?: number;
  /** Gives up waiting. The daemon may do it all the same. */
  signal?: AbortSignal | undefined;
}

/** How to follow a stream of events. */
export interface ListenOptions {
  parameters?: Parameters;
  /** Ends the events, without an error. */
  signal?: AbortSignal | undefined;
  /** Called whenever the stream begins anew: events may be missing, or come again. */
  restarted?: (() => void) | undefined;
  /** Whether the stream begins, each time, with {@link FEED_OPENED}. */
  tellOpened?: boolean;
}

/** HTTP to one daemon, wherever it is at the moment. Goes on by itself when the daemon restarts. */
export class Connection {
  readonly #find: () => Endpoint | Promise<Endpoint>;
  readonly #transport: Transport & { close(): void };
  readonly #restartMs: number;
  /** What is under way; closing ends it. */
  readonly #underWay = new Set<AbortController>();
  readonly #sockets = new Set<JsonSocket>();
  #endpoint: Endpoint | undefined;
  #reached = false;
  #closed = false;

  constructor(
    find: () => Endpoint | Promise<Endpoint>,
    transport: Transport & { close(): void },
    restartSeconds: number,
  ) {
    this.#find = find;
    this.#transport = transport;
    this.#restartMs = restartSeconds * 1000;
  }

  /** End everything that is under way, with the error `closed`. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#underWay) controller.abort(closed());
    for (const socket of this.#sockets) socket.close();
    this.#transport.close();
  }

  /** Ask, and wait for a daemon that restarts meanwhile. Gives the media type and the body of the answer. */
  async request(
    method: string,
    path: string,
    options: RequestOptions = {},
  ): Promise<{ mediaType: string; text: string }> {
    const repeatable = options.repeatable ?? REPEATABLE.has(method);
    const seconds = options.timeoutSeconds ?? REQUEST_MS / 1000;
    const body = options.json ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    const headers: Record<string, string> = body === undefined ? {} : { "Content-Type": "application/json" };
    return this.#reach(repeatable, options.signal, async (endpoint) => {
      const task = this.#begin(options.signal, seconds * 1000, () => noAnswer(seconds));
      try {
        const answer = await this.#transport.request(endpoint, {
          method,
          path: path + query(options.parameters ?? {}),
          headers,
          ...(body === undefined ? {} : { body }),
          signal: task.signal,
        });
        const text = await whole(answer);
        if (answer.status >= 400) throw errorFromAnswer(answer.status, text);
        return { mediaType: answer.mediaType, text };
      } finally {
        task.end();
      }
    });
  }

  /** Events of a path, for as long as the caller goes on. A daemon that restarts is asked again. */
  async *listen(path: string, options: ListenOptions = {}): AsyncGenerator<ServerSentEvent, void> {
    const { signal } = options;
    if (isAborted(signal)) return;
    for (let first = true; ; first = false) {
      const task = this.#begin(signal, REQUEST_MS, () => noAnswer(REQUEST_MS / 1000));
      try {
        const answer = await this.#reach(true, signal, async (endpoint) => {
          const found = await this.#transport.request(endpoint, {
            method: "GET",
            path: path + query(options.parameters ?? {}),
            headers: { Accept: "text/event-stream" },
            signal: task.signal,
          });
          if (found.status >= 400) throw errorFromAnswer(found.status, await whole(found));
          return found;
        });
        task.unlimited(); // the reader may take its time
        if (!first) options.restarted?.();
        if (options.tellOpened === true) yield { kind: FEED_OPENED, data: "{}" };
        yield* parseEvents(task.watched(answer.body));
      } catch (error) {
        if (isAborted(signal)) return;
        if (!(error instanceof ConnectionBroken)) throw error;
      } finally {
        task.stop();
      }
      if (this.#closed) throw closed();
      if (!(await this.#pause(FIRST_PAUSE_MS, signal))) return;
    }
  }

  /** A WebSocket of the daemon. It ends with the daemon; whoever uses it knows how to go on. */
  async socket(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<JsonSocket> {
    return this.#reach(true, signal, async (endpoint) => {
      const task = this.#begin(signal, REQUEST_MS, () => noAnswer(REQUEST_MS / 1000));
      try {
        const opened = await this.#transport.open(endpoint, path + query(parameters), task.signal);
        const socket: JsonSocket = new JsonSocket(opened, () => this.#sockets.delete(socket));
        this.#sockets.add(socket);
        return socket;
      } catch (error) {
        if (error instanceof Refused) throw errorFromAnswer(error.status, error.body);
        throw error;
      } finally {
        task.end();
      }
    });
  }

  // -- attempts ------------------------------------------------------------------------------------------

  async #reach<T>(
    repeatable: boolean,
    signal: AbortSignal | undefined,
    once: (endpoint: Endpoint) => Promise<T>,
  ): Promise<T> {
    // One that was never there is not restarting: whoever asks is told at once.
    const deadline = performance.now() + (this.#reached ? this.#restartMs : 0);
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      if (this.#closed) throw closed();
      let absent: P4Error;
      try {
        // It is looked for again after each failure: a restarted one may listen elsewhere.
        this.#endpoint ??= await this.#find();
        const result = await once(this.#endpoint);
        this.#reached = true;
        return result;
      } catch (error) {
        if (error instanceof P4Error) {
          if (error.code !== "no-daemon") {
            if (error.status > 0) this.#reached = true;
            throw error;
          }
          absent = error;
        } else if (error instanceof NotSent || error instanceof ConnectionBroken) {
          // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it was closed meanwhile
          if (this.#closed) throw closed();
          if (error instanceof ConnectionBroken && !repeatable) throw lost(error);
          absent = noDaemon(this.#endpoint?.unix ?? this.#endpoint?.url ?? "this address", error);
          this.#endpoint = undefined;
        } else throw error;
      }
      if (performance.now() + pause >= deadline) throw absent;
      if (!(await this.#pause(pause, signal))) throw signal?.reason;
    }
  }

  /** Something that closing, a signal, or a time without a word ends. */
  #begin(outer?: AbortSignal, timeMs?: number, late?: () => Error): Task {
    outer?.throwIfAborted();
    const controller = new AbortController();
    const task = new Task(controller, outer, () => this.#underWay.delete(controller));
    this.#underWay.add(controller);
    if (timeMs !== undefined && late !== undefined) task.limit(timeMs, late);
    return task;
  }

  /** False if the signal came; throws `closed`. */
  async #pause(milliseconds: number, signal?: AbortSignal): Promise<boolean> {
    if (isAborted(signal)) return false;
    const task = this.#begin(signal);
    try {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        task.signal.addEventListener("abort", () => {
          clearTimeout(timer);
          resolve();
        });
      });
    } finally {
      task.end();
    }
    if (this.#closed) throw closed();
    return !isAborted(signal);
  }
}

/** A function, so that the compiler does not think that a signal stays as it is. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted ?? false;
}

class Task {
  readonly signal: AbortSignal;
  readonly #controller: AbortController;
  readonly #release: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(controller: AbortController, outer: AbortSignal | undefined, forget: () => void) {
    this.#controller = controller;
    this.signal = controller.signal;
    const stop = (): void => {
      controller.abort(outer?.reason);
    };
    outer?.addEventListener("abort", stop);
    this.#release = () => {
      forget();
      outer?.removeEventListener("abort", stop);
      clearTimeout(this.#timer);
    };
  }

  limit(milliseconds: number, late: () => Error): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#controller.abort(late());
    }, milliseconds);
  }

  /** It may take as long as it likes. */
  unlimited(): void {
    clearTimeout(this.#timer);
  }

  /** The pieces, as long as none of them lets itself be waited for too long. */
  async *watched(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    const late = (): Error => new ConnectionBroken("The daemon has said nothing for too long.");
    this.limit(SILENCE_MS, late);
    for await (const piece of pieces) {
      this.unlimited(); // as above
      yield piece;
      this.limit(SILENCE_MS, late);
    }
  }

  /** It is over. */
  end(): void {
    this.#release();
  }

  /** It shall be over. */
  stop(): void {
    this.#release();
    this.#controller.abort(new ConnectionBroken("Nobody reads any more."));
  }
}

/** A WebSocket of the daemon: JSON objects and bytes. */
export class JsonSocket {
  readonly #socket: TransportSocket;
  readonly #forget: () => void;

  /** @internal */
  constructor(socket: TransportSocket, forget: () => void) {
    this.#socket = socket;
    this.#forget = forget;
  }

  /** Send bytes, or an object as JSON. Throws P4Error `connection-lost`. */
  async send(data: Uint8Array | object): Promise<void> {
    try {
      await this.#socket.send(data instanceof Uint8Array ? data : JSON.stringify(data));
    } catch (error) {
      throw lost(error);
    }
  }

  /** What arrives, until the WebSocket ends. Throws what an `error` message says. */
  async *messages(): AsyncGenerator<Record<string, unknown> | Uint8Array, void> {
    try {
      for await (const message of this.#socket) {
        if (typeof message !== "string") {
          yield message;
          continue;
        }
        const entry = JSON.parse(message) as Record<string, unknown>;
        if (entry["type"] === "error") throw errorFromObject(entry["error"], 400);
        yield entry;
      }
    } finally {
      this.#forget();
    }
  }

  /** Close it. */
  close(): void {
    this.#forget();
    this.#socket.close();
  }
}

async function whole(answer: TransportAnswer): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const piece of answer.body) parts.push(piece);
  if (parts.length === 1 && parts[0] !== undefined) return fromUtf8(parts[0]);
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let place = 0;
  for (const part of parts) {
    all.set(part, place);
    place += part.length;
  }
  return fromUtf8(all);
}

/** No daemon answers. */
export function noDaemon(where: string, cause?: unknown): P4Error {
  return new P4Error(`No P4 daemon answers for ${where}. Nothing was done. Start it: p4 up --detach`, {
    code: "no-daemon",
    cause,
  });
}

/** The daemon ended in the middle of something. */
export function lost(cause?: unknown): P4Error {
  return new P4Error(
    "The daemon ended while it worked on this. It may have been done: look before you repeat it.",
    { code: "connection-lost", cause },
  );
}

function noAnswer(seconds: number): P4Error {
  return new P4Error(
    `The daemon did not answer within ${String(seconds)} s. It may still do what was asked. ` +
      "Look at how it is: p4 status",
    { code: "no-answer" },
  );
}

function closed(): P4Error {
  return new P4Error("This client has been closed. Nothing was done.", { code: "closed" });
}
