import { fromBase64, toBase64 } from "../bytes.js";
import { P4Error } from "../errors.js";
import { Queue } from "../queue.js";
import type { Client } from "./client.js";
import type { JsonSocket } from "./connection.js";
import type { ContactName } from "./types.js";
import { quoted } from "./values.js";

/** Datagrams that wait for their reader; beyond, the oldest are lost. */
const WAITING = 256;

/** A datagram of a contact. */
export interface Datagram {
  readonly contact: ContactName;
  readonly data: Uint8Array;
}

/**
 * Datagrams of a service, from and to all contacts: now, or not at all. For `for await`; made by
 * `Client.datagrams`. It ends with the daemon: `connection-lost`, open it again.
 */
export class Datagrams implements AsyncIterable<Datagram> {
  readonly #socket: JsonSocket;
  readonly #arrived = new Queue<Datagram>(WAITING);
  #error: P4Error | undefined;
  #closed = false;
  readonly #reading: Promise<void>;

  /** @internal */
  constructor(socket: JsonSocket) {
    this.#socket = socket;
    // Read also while the application only sends: that is how a refusal, and the end, is noticed.
    this.#reading = this.#read();
  }

  /**
   * Send one, at most 1100 bytes; it may be lost.
   *
   * @param contact - name or id.
   * @throws P4Error - an earlier one was refused, such as `not-granted`; this one was not sent. `connection-lost`.
   */
  async send(contact: string, data: Uint8Array): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    try {
      await this.#socket.send({ contact, base64: toBase64(data) });
    } catch (error) {
      await this.#reading;
      throw (this.#error as P4Error | undefined) ?? error;
    }
  }

  /** What arrives, until {@link close}. Throws as {@link send} does. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Datagram, void> {
    yield* this.#arrived;
    if (this.#error !== undefined && !this.#closed) throw this.#error;
  }

  /** Read and send no more. */
  close(): void {
    this.#closed = true;
    this.#socket.close();
    this.#arrived.end();
  }

  async #read(): Promise<void> {
    try {
      for await (const entry of this.#socket.messages()) {
        if (entry instanceof Uint8Array || typeof entry["base64"] !== "string") continue;
        this.#arrived.push({ contact: entry["contact"] as ContactName, data: fromBase64(entry["base64"]) });
      }
      this.#error = gone();
    } catch (error) {
      this.#error = error instanceof P4Error ? error : gone(error);
    }
    this.#arrived.end();
  }
}

/** The datagrams of a service from now on. */
export async function openDatagrams(client: Client, service: string): Promise<Datagrams> {
  return new Datagrams(await client.socket(`/v1/datagrams/${quoted(service)}`));
}

function gone(cause?: unknown): P4Error {
  return new P4Error("The daemon has ended. Open the datagrams again.", { code: "connection-lost", cause });
}
