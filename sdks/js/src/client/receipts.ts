import { P4Error } from "../errors.js";
import type { Client } from "./client.js";
import { FEED_OPENED } from "./connection.js";
import type { ChatLine } from "./types.js";
import { quoted } from "./values.js";

/** The states of a message that arrives, in their order; `sending` and `seen` are those of chat only. */
const PROGRESS = ["sending", "queued", "delivered", "consumed", "seen"];
const WAIT_SECONDS = 60;

/** Ends waiting, by throwing the signal's reason. */
export interface WaitOptions {
  signal?: AbortSignal;
}

/** One accepted message and what becomes of it. */
export class Receipt {
  /** Names the message for ever; the contact's application sees the same. */
  readonly id: string;
  /** `queued`, `delivered`, `consumed` or `dropped`, as far as this receipt has been told. */
  state: string;
  protected readonly client: Client;
  readonly #contact: string;

  /** @internal */
  constructor(
    client: Client,
    contact: string,
    entry: { id: string; state: string; contact?: { id: string } },
  ) {
    this.client = client;
    // By its id, where that was told: it may be called otherwise by the time somebody waits.
    this.#contact = entry.contact?.id ?? contact;
    this.id = entry.id;
    this.state = entry.state;
  }

  /**
   * Wait until it is on the contact's disk.
   *
   * @throws P4Error - type `DeliveryError`: it never will be. `unknown`: the daemon has restarted since and does not
   *   remember; the message arrives all the same.
   */
  async delivered(options: WaitOptions = {}): Promise<void> {
    await this.wait("delivered", options);
  }

  /** Wait until the contact's application has taken it. Throws as {@link delivered}. */
  async consumed(options: WaitOptions = {}): Promise<void> {
    await this.wait("consumed", options);
  }

  /** Whether it has come so far. */
  protected hasCome(wanted: string): boolean {
    return PROGRESS.indexOf(this.state) >= PROGRESS.indexOf(wanted);
  }

  /** Wait until it has come so far. */
  protected async wait(wanted: string, options: WaitOptions): Promise<void> {
    const path = `/v1/contacts/${quoted(this.#contact)}/receipts/${quoted(this.id)}`;
    while (!this.hasCome(wanted)) {
      const entry = await this.client.ask<{ state: string; reason?: string }>("GET", path, {
        parameters: { wait: wanted, timeout: WAIT_SECONDS },
        timeoutSeconds: 2 * WAIT_SECONDS,
        signal: options.signal,
      });
      this.state = entry.state;
      if (entry.state === "dropped") throw dropped(entry.reason || "dropped", entry.reason || "dropped");
    }
  }
}

/** One thing that was said. It stands in the history: what becomes of it is known after restarts too. */
export class ChatReceipt extends Receipt {
  readonly #place: string;
  readonly #history: string;

  /** @internal */
  constructor(client: Client, contact: string, line: ChatLine) {
    super(client, contact, { id: line.messageId, state: line.state });
    this.#place = line.id;
    this.#history = `/v1/chat/${quoted(contact)}`;
  }

  /** Wait until it has come so far. */
  protected override async wait(wanted: string, options: WaitOptions): Promise<void> {
    if (this.hasCome(wanted)) return;
    for await (const event of this.client.events([FEED_OPENED, "chat.receipt"], options)) {
      let lines = event.data["entries"] as ChatLine[] | undefined;
      if (lines === undefined) {
        // It may have come further while nobody told.
        const parameters = { before: String(BigInt(this.#place) + 1n), limit: 1 };
        const page = await this.client.ask<{ entries: ChatLine[] }>("GET", this.#history, { parameters });
        lines = page.entries;
      }
      const line = lines.find((one) => one.id === this.#place);
      if (line !== undefined) this.state = line.state;
      // What is said neither expires nor is it replaced: the contact does not take it.
      if (line?.state === "failed") throw dropped("refused", line.reason);
      if (this.hasCome(wanted)) return;
    }
    options.signal?.throwIfAborted();
  }
}

function dropped(code: string, reason: string): P4Error {
  return new P4Error(`The message will not arrive: ${reason}.`, { code, type: "DeliveryError" });
}
