import { P4Error } from "../errors.js";
import type { Client } from "./client.js";
import type { ServerSentEvent } from "./sse.js";
import type { ContactName } from "./types.js";
import { decoded, quoted, type Value } from "./values.js";

/** Messages that are handed out before one must be `done`. */
const WINDOW = 64;
/** Messages that one request says are done. */
const ACKNOWLEDGED = 256;
/** Messages that are remembered to be done although the daemon did not know them: four windows after restarts. */
const UNKNOWN = 4 * 256;

/** Which messages to read. */
export interface MessagesOptions {
  /** Only those of this contact, by name or id. */
  contact?: string;
  /** How many come before one must be `done`, 1 to 256; 64 by default. */
  window?: number;
}

interface Received {
  readonly id: string;
  readonly contact: ContactName;
  readonly service?: string;
  readonly key?: string;
  readonly sent_ms?: number;
  readonly received_ms?: number;
}

/** A message of a contact, which is on the daemon's disk until `done`. */
export class Message {
  readonly contact: ContactName;
  /** Names it for ever among the messages of this contact. */
  readonly id: string;
  readonly service: string;
  /** Of a latest-value message; empty for others. */
  readonly key: string;
  /** Unix milliseconds by its sender's clock. */
  readonly sentMs: number;
  /** Unix milliseconds. */
  readonly receivedMs: number;
  readonly #entry: Received;
  readonly #done: () => Promise<void>;

  /** @internal */
  constructor(entry: Received, service: string, done: () => Promise<void>) {
    this.contact = { id: entry.contact.id, name: entry.contact.name };
    this.id = entry.id;
    this.service = entry.service ?? service;
    this.key = entry.key ?? "";
    this.sentMs = entry.sent_ms ?? 0;
    this.receivedMs = entry.received_ms ?? 0;
    this.#entry = entry;
    this.#done = done;
  }

  /** What was sent: bytes, or JSON. Throws `bad-body` if it was no JSON. */
  get value(): Value {
    return decoded(this.#entry as unknown as Record<string, unknown>);
  }

  /**
   * The application has dealt with it.
   *
   * @returns Await it to know that the message will not come again; you need not. Many may be done together.
   */
  done(): Promise<void> {
    return this.#done();
  }
}

interface Pending {
  readonly contact: string;
  readonly id: string;
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: P4Error) => void;
  failed: boolean;
}

/**
 * The messages of a service, each once: for `for await`, again and again. Made by `Client.messages`.
 *
 * A message whose `done` was called does not come again, whatever restarts: if the daemon ended before it had noted
 * that, it is told once more. One that was not done comes again to the next reader, as soon as the loop is left.
 */
export class Messages implements AsyncIterableIterator<Message> {
  readonly #client: Client;
  readonly #service: string;
  readonly #path: string;
  readonly #ending = new AbortController();
  readonly #events: AsyncGenerator<ServerSentEvent, void>;
  /** Given to the application, and not yet known to be done by the daemon. */
  readonly #handedOut = new Set<string>();
  /** Done by the application, and not yet known to be so by the daemon. */
  readonly #done = new Map<string, Pending>();
  /** Done by the application, and not known to the daemon when it was told: it had either noted that before, or has
   * restarted and not handed them out again yet. */
  readonly #unknown = new Set<string>();
  /** Came again while the daemon was told that they are done: it may have been told before that, and then has noted
   * nothing. */
  readonly #again = new Set<string>();
  #telling: Promise<void> | undefined;

  /** @internal */
  constructor(client: Client, service: string, options: MessagesOptions) {
    this.#client = client;
    this.#service = service;
    this.#path = `/v1/messages/${quoted(service)}`;
    this.#events = client.listen(this.#path, {
      parameters: { contact: options.contact, window: options.window ?? WINDOW },
      signal: this.#ending.signal,
    });
  }

  /** For `for await`: each message once, until {@link close}. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next message; waits for it. */
  async next(): Promise<IteratorResult<Message, undefined>> {
    for (;;) {
      const found = await this.#events.next();
      if (found.done === true) return { done: true, value: undefined };
      if (found.value.kind !== "message") continue;
      const entry = JSON.parse(found.value.data) as Received;
      const { id } = entry;
      const contact = entry.contact.id;
      const key = `${contact} ${id}`;
      if (this.#unknown.delete(key)) {
        this.#handedOut.add(key);
        this.#acknowledge(contact, id).catch(() => undefined);
      } else if (this.#done.has(key)) {
        this.#again.add(key);
        this.#tell(); // the daemon restarted before it had noted it
      } else if (!this.#handedOut.has(key)) {
        this.#handedOut.add(key);
        return {
          done: false,
          value: new Message(entry, this.#service, () => this.#acknowledge(contact, id)),
        };
      } // otherwise the application has it, and will say when it is done
    }
  }

  /** Leave the loop: tells the daemon what is done, and lets others have the rest. */
  async return(): Promise<IteratorResult<Message, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** As leaving the loop. A `next` that waits ends. */
  async close(): Promise<void> {
    await this.#telling;
    this.#ending.abort();
    await this.#events.return();
  }

  #acknowledge(contact: string, id: string): Promise<void> {
    const key = `${contact} ${id}`;
    let pending = this.#done.get(key);
    if (pending === undefined || pending.failed) {
      if (!this.#handedOut.has(key)) return Promise.resolve(); // the daemon knows already
      pending = newPending(contact, id);
      this.#done.set(key, pending);
    }
    this.#tell();
    return pending.promise;
  }

  #tell(): void {
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = undefined;
    });
  }

  async #tellAll(): Promise<void> {
    const told = new Set<Pending>();
    for (;;) {
      await Promise.resolve(); // what is done in the same moment goes in the same request
      const pendings = [...this.#done.values()].filter((one) => !told.has(one)).slice(0, ACKNOWLEDGED);
      if (pendings.length === 0) return;
      for (const { contact, id } of pendings) this.#again.delete(`${contact} ${id}`); // told from now on
      const messages = pendings.map(({ contact, id }) => ({ contact, id }));
      try {
        const answer = (await this.#client.request("POST", `${this.#path}/done`, {
          body: { messages },
          repeatable: true,
        })) as { unknown: { contact: string; id: string }[] };
        for (const { contact, id } of answer.unknown) {
          const key = `${contact} ${id}`;
          if (!this.#again.has(key)) this.#remember(key);
        }
        for (const pending of pendings) {
          const key = `${pending.contact} ${pending.id}`;
          if (this.#again.has(key)) continue; // it is told once more
          this.#done.delete(key);
          this.#handedOut.delete(key);
          pending.resolve();
        }
      } catch (error) {
        for (const pending of pendings) {
          told.add(pending);
          // It stays among those that are done: if it comes again, the daemon is told again.
          pending.failed = true;
          pending.reject(notNoted(error));
        }
      }
    }
  }

  #remember(key: string): void {
    this.#unknown.add(key);
    for (const oldest of this.#unknown) {
      if (this.#unknown.size <= UNKNOWN) break;
      this.#unknown.delete(oldest);
    }
  }
}

function newPending(contact: string, id: string): Pending {
  const pending = { contact, id, failed: false } as Pending;
  pending.promise = new Promise<void>((resolve, reject) => {
    pending.resolve = resolve;
    pending.reject = reject;
  });
  // Nobody need await it: a message that could not be noted comes again, which is what was promised.
  pending.promise.catch(() => undefined);
  return pending;
}

function notNoted(error: unknown): P4Error {
  const known = error instanceof P4Error ? error : undefined;
  return new P4Error(
    "That the message is done could not be noted: it comes again to the next subscription. " +
      (known?.message ?? String(error)),
    { code: known?.code ?? "connection-lost", cause: error },
  );
}
