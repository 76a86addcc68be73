import { P4Error } from "../errors.js";
import type { Client } from "./client.js";
import type { JsonSocket } from "./connection.js";
import type { ContactName } from "./types.js";
import { type Parameters, quoted } from "./values.js";

/** Bytes in one WebSocket message: few messages, and none is long in the way of another. */
const PIECE_BYTES = 256 * 1024;

interface Opened {
  readonly id: string;
  readonly contact: ContactName;
  readonly service: string;
  readonly name?: string;
  readonly written?: number;
  readonly position?: number;
  readonly confirmed?: number;
  readonly writing_ended?: boolean;
}

type Reopen = (id: string) => Promise<Stream>;

/**
 * A byte stream with a contact, which outlives links, restarts and this program (spec/daemon-api, "Streams").
 *
 * If the daemon restarts, reading and writing throw `connection-lost`: {@link reopen} gives the same stream; go on at
 * its `written` and `position`. What was read and not {@link consumed} comes again.
 */
export class Stream implements AsyncIterable<Uint8Array> {
  /** Names it for ever. */
  readonly id: string;
  readonly contact: ContactName;
  readonly service: string;
  readonly name: string;
  /** Bytes of ours that this stream has accepted, in this and earlier runs: write on from here. */
  written: number;
  /** Bytes of ours that are with the daemon, and survive the end of this program. */
  stored: number;
  /** Bytes of ours that the contact's application has consumed. */
  confirmed: number;
  /** Offset of the next byte that is read. */
  position: number;
  writingEnded: boolean;
  readonly #socket: JsonSocket;
  readonly #reopen: Reopen;
  readonly #pieces: Uint8Array[] = [];
  #waiting: (() => void)[] = [];
  #consumed: number;
  #ended = false;
  #knowsEnd = false;
  #done = false;
  #flushes = 0;
  #flushing = 0;
  #error: P4Error | undefined;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  /** @internal */
  constructor(
    socket: JsonSocket,
    messages: AsyncIterator<Record<string, unknown> | Uint8Array>,
    opened: Opened,
    reopen: Reopen,
  ) {
    this.#socket = socket;
    this.#reopen = reopen;
    this.id = opened.id;
    this.contact = opened.contact;
    this.service = opened.service;
    this.name = opened.name ?? "";
    this.written = this.stored = opened.written ?? 0;
    this.confirmed = opened.confirmed ?? 0;
    this.position = this.#consumed = opened.position ?? 0;
    this.writingEnded = opened.writing_ended ?? false;
    void this.#receive(messages);
  }

  // -- reading -------------------------------------------------------------------------------------------

  /**
   * What there is, at least one byte; undefined at the end. It does not count as consumed: see {@link consumed}, and
   * at most 4 MiB come without it.
   *
   * @throws P4Error - type `StreamError`: the stream was ended before its end. `connection-lost`.
   */
  async read(): Promise<Uint8Array | undefined> {
    await this.#until(() => this.#pieces.length > 0 || this.#ended || this.#error !== undefined);
    const piece = this.#pieces.shift();
    if (piece !== undefined) this.position += piece.length;
    else if (this.#error !== undefined && !this.#ended) throw this.#error;
    return piece;
  }

  /** Pieces, to the end. Each counts as consumed when the next one is asked for. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (let piece = await this.read(); piece !== undefined; piece = await this.read()) {
      yield piece;
      await this.consumed();
    }
    if (!this.#knowsEnd && !this.#done) await this.consumed();
  }

  /** As a web stream. Each piece counts as consumed when the next one is asked for. Cancelling lets go of it. */
  get readable(): ReadableStream<Uint8Array> {
    const pieces = this[Symbol.asyncIterator]();
    return (this.#readable ??= new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const found = await pieces.next();
          if (found.done === true) controller.close();
          else controller.enqueue(found.value);
        },
        cancel: () => {
          this.detach();
        },
      },
      { highWaterMark: 0 },
    ));
  }

  /**
   * You have done with everything before this offset, by default with all that was read.
   *
   * @param options - `knowsEnd`: whether that holds for the contact's end as well, if it has come. As long as it does
   *   not, opening the stream again gives this one.
   */
  async consumed(offset = this.position, options: { knowsEnd?: boolean } = {}): Promise<void> {
    const knowsEnd = options.knowsEnd ?? true;
    this.#consumed = offset;
    this.#knowsEnd = knowsEnd && this.#ended;
    await this.#say({ type: "consumed", offset, ...(knowsEnd ? {} : { knows_end: false }) });
  }

  // -- writing -------------------------------------------------------------------------------------------

  /**
   * Send bytes; waits while the daemon, and behind it the contact, is too far behind.
   *
   * @throws P4Error - type `StreamError`: the stream has ended. `connection-lost`.
   */
  async write(data: Uint8Array): Promise<void> {
    for (let start = 0; start < data.length; start += PIECE_BYTES) {
      const piece = data.subarray(start, start + PIECE_BYTES);
      this.#refuseEnded();
      try {
        await this.#socket.send(piece);
      } catch (error) {
        throw this.#error ?? lostStream(error);
      }
      this.written += piece.length;
    }
  }

  /** As a web stream: closing ends writing, aborting resets the stream. */
  get writable(): WritableStream<Uint8Array> {
    return (this.#writable ??= new WritableStream<Uint8Array>({
      write: (piece) => this.write(piece),
      close: () => this.closeWriting(),
      abort: (reason: unknown) => this.reset(reason instanceof Error ? reason.message : ""),
    }));
  }

  /** Wait until everything written is safe from a power failure. */
  async flush(): Promise<void> {
    this.#refuseEnded();
    const wanted = ++this.#flushing;
    await this.#say({ type: "flush" });
    await this.#expect(() => this.#flushes >= wanted);
  }

  /** Write no more; what was written still arrives, and the contact can still answer. */
  async closeWriting(): Promise<void> {
    this.writingEnded = true;
    await this.#say({ type: "end" });
  }

  /** Leave the stream well: nothing more is read or written. What was written still arrives. */
  async close(): Promise<void> {
    if (!this.#done) await this.#say({ type: "close" });
    await this.#expect(() => this.#done);
    this.detach();
  }

  /** End both directions at once; the other side gets an error with the reason. */
  async reset(reason = ""): Promise<void> {
    await this.#say({ type: "reset", reason });
    await this.#expect(() => this.#done);
    this.detach();
  }

  /** Wait until the contact's application has consumed our bytes below an offset. Throws as {@link read}. */
  async waitConfirmed(through = this.written): Promise<void> {
    await this.#expect(() => this.confirmed >= through || this.#done);
  }

  /** Wait until both directions have ended and are consumed. Throws as {@link read}. */
  async waitDone(): Promise<void> {
    await this.#expect(() => this.#ended || this.#done);
    const all = this.#pieces.length === 0 && this.#consumed === this.position;
    if (!this.#knowsEnd && !this.#done && all) await this.consumed(); // the last word was said before the end came
    await this.#expect(() => this.#done);
  }

  // -- letting go, and taking up again -------------------------------------------------------------------

  /** Let go of the stream without ending it; anybody can open it again. */
  detach(): void {
    this.#socket.close();
  }

  /**
   * The same stream again, after `connection-lost`: at its `written` and `position`.
   *
   * @throws P4Error - `over`: it has ended well by now, and there is nothing more to do.
   */
  async reopen(): Promise<Stream> {
    this.detach();
    return this.#reopen(this.id);
  }

  // -- inside --------------------------------------------------------------------------------------------

  async #receive(messages: AsyncIterator<Record<string, unknown> | Uint8Array>): Promise<void> {
    let error = lostStream();
    try {
      for (let found = await messages.next(); found.done !== true; found = await messages.next()) {
        this.#take(found.value);
        this.#wake();
      }
    } catch (told) {
      if (told instanceof P4Error) error = told;
    }
    this.#error = error;
    this.#wake();
  }

  #take(entry: Record<string, unknown> | Uint8Array): void {
    if (entry instanceof Uint8Array) {
      this.#pieces.push(entry);
      return;
    }
    if (typeof entry["written"] === "number") this.stored = entry["written"];
    if (typeof entry["confirmed"] === "number") this.confirmed = entry["confirmed"];
    if (entry["type"] === "flushed") this.#flushes += 1;
    if (entry["type"] === "end") this.#ended = true;
    if (entry["type"] === "done") this.#ended = this.#done = true;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #expect(condition: () => boolean): Promise<void> {
    await this.#until(() => condition() || this.#error !== undefined);
    if (!condition() && this.#error !== undefined) throw this.#error;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async #say(entry: object): Promise<void> {
    try {
      await this.#socket.send(entry);
    } catch (error) {
      if (!this.#done) throw this.#error ?? lostStream(error);
    }
  }

  #refuseEnded(): void {
    if (this.#error !== undefined) throw this.#error;
    if (this.writingEnded || this.#done) {
      throw new P4Error("Writing to this stream has ended. Nothing was sent.", {
        code: "ended",
        type: "StreamError",
      });
    }
  }
}

/** A stream to a service of a contact. @param id - of the one that is meant; throws `over` if it is no more. */
export async function openStream(
  client: Client,
  contact: string,
  service: string,
  name: string,
  id?: string,
): Promise<Stream> {
  const path = `/v1/contacts/${quoted(contact)}/streams/${quoted(service)}`;
  const reopen: Reopen = (again) => openStream(client, contact, service, name, again);
  return attached(client, path, { name, id }, reopen);
}

/** The next stream that a contact opens to a service, or opened before a restart. */
export async function acceptStream(
  client: Client,
  service: string,
  options: { contact?: string; id?: string; signal?: AbortSignal } = {},
): Promise<Stream> {
  const { contact, id, signal } = options;
  const stream: Stream = await attached(
    client,
    `/v1/streams/${quoted(service)}`,
    { contact, id },
    (again) => acceptStream(client, service, { contact: stream.contact.id, id: again }),
    signal,
  );
  return stream;
}

async function attached(
  client: Client,
  path: string,
  parameters: Parameters,
  reopen: Reopen,
  signal?: AbortSignal,
): Promise<Stream> {
  const socket = await client.socket(path, parameters, signal);
  const stop = (): void => {
    socket.close();
  };
  signal?.addEventListener("abort", stop);
  try {
    const messages = socket.messages();
    for (let found = await messages.next(); found.done !== true; found = await messages.next()) {
      const entry = found.value;
      if (!(entry instanceof Uint8Array) && entry["type"] === "open") {
        return new Stream(socket, messages, entry as unknown as Opened, reopen);
      }
    }
    signal?.throwIfAborted();
    throw lostStream();
  } catch (error) {
    socket.close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function lostStream(cause?: unknown): P4Error {
  return new P4Error(
    "The daemon has ended. The stream goes on after its restart: open it again, and write on at `written`.",
    { code: "connection-lost", cause },
  );
}
