import { camel } from "./names.js";
import type { Client } from "./client.js";
import { Messages, type MessagesOptions } from "./messages.js";
import { ChatReceipt, Receipt } from "./receipts.js";
import { acceptStream, openStream, type Stream } from "./streams.js";
import type { ChatLine, ContactStatus, Verification } from "./types.js";
import { decoded, encoded, quoted, type Value } from "./values.js";

const CHAT = "chat";
const CALL_SECONDS = 30;
const MARGIN_SECONDS = 60;

/** How a message is to be sent. */
export interface SendOptions {
  /** Which service of the contact it is for; `chat` by default. */
  service?: string;
  /** Seconds after which it is of no use; never by default. */
  ttlSeconds?: number;
  /** A key: this value replaces earlier ones with the same key that have not arrived yet. */
  latest?: string;
}

/** How a call is to be made. */
export interface CallOptions {
  /** Seconds until the call is given up, here and there; 30 by default. */
  deadlineSeconds?: number;
  /** Cancels the call. */
  signal?: AbortSignal;
}

/**
 * A contact; made by `Client.contact`. Asks nothing by itself.
 *
 * Every method throws `unknown` or `ambiguous` if the reference names no contact.
 */
export class Contact {
  /** As it was given: name, id, or beginning of the id. */
  readonly reference: string;
  readonly #client: Client;
  readonly #path: string;

  /** @internal */
  constructor(client: Client, reference: string) {
    this.#client = client;
    this.reference = reference;
    this.#path = `/v1/contacts/${quoted(reference)}`;
  }

  // -- how it is -----------------------------------------------------------------------------------------

  /** How it is now. */
  async status(): Promise<ContactStatus> {
    return this.#client.ask("GET", this.#path);
  }

  /** The round trip through the contact's program, seconds. */
  async ping(): Promise<number> {
    const options = { repeatable: true };
    return (await this.#client.ask<{ roundTrip: number }>("POST", `${this.#path}/ping`, options)).roundTrip;
  }

  /** Cut the link, which comes back by itself; false if there was none. */
  async drop(): Promise<boolean> {
    return (await this.#client.ask<{ dropped: boolean }>("POST", `${this.#path}/drop`)).dropped;
  }

  /** Call it something else. Throws `name-taken`. */
  async rename(name: string): Promise<ContactStatus> {
    return this.#client.ask("PATCH", this.#path, { body: { name }, repeatable: true });
  }

  /** Forget it, and what waits for it and from it. */
  async remove(): Promise<void> {
    await this.#client.request("DELETE", this.#path, { repeatable: false });
  }

  /** Choose which paths to it may be used. */
  async setPolicy(policy: "direct" | "relay-only" | "lan-only"): Promise<void> {
    await this.#client.request("PUT", `${this.#path}/policy`, { body: { policy } });
  }

  /** Block it: links end at once, and it is answered as strangers are. Or be its contact again. */
  async setBlocked(blocked: boolean): Promise<void> {
    await this.#client.request("PUT", `${this.#path}/block`, { body: { blocked } });
  }

  /** The words that two people compare. */
  async verification(): Promise<Verification> {
    return this.#client.ask("GET", `${this.#path}/verification`);
  }

  /** Record that the words for this key were compared, or take it back. Throws `changed-key`. */
  async verify(publicKey: string, verified = true): Promise<Verification> {
    const body = { verified, public_key: publicKey };
    return this.#client.ask("PUT", `${this.#path}/verification`, { body });
  }

  // -- what it may use here ------------------------------------------------------------------------------

  /** The services of this device that it may use. */
  async grants(): Promise<readonly string[]> {
    return this.#grants("GET", "");
  }

  /** Let it use these too; gives all that it may use then. On disk when this resolves. */
  async grant(...services: string[]): Promise<readonly string[]> {
    return this.#grants("POST", "", { services });
  }

  /** Let it use these no more; gives what is left. Throws `unknown` for what it does not have. */
  async revoke(...services: string[]): Promise<readonly string[]> {
    for (const service of services) await this.#grants("DELETE", `/${quoted(service)}`);
    return this.grants();
  }

  async #grants(method: string, which: string, body?: unknown): Promise<readonly string[]> {
    const options = { body, repeatable: method !== "DELETE" };
    return (await this.#client.ask<{ grants: string[] }>(method, `${this.#path}/grants${which}`, options))
      .grants;
  }

  // -- messages ------------------------------------------------------------------------------------------

  /**
   * Hand over a message. It is on disk when this resolves, and arrives once, in order.
   *
   * A text for `chat` also stands in the history that `p4 chat` and the web page show. Of one service the order is
   * that of the calls. Need not be awaited before the next one: what is sent while the daemon works on others goes to
   * it together, which is many times as fast; each has its own receipt, or error.
   *
   * @param value - bytes, or JSON; up to 1 MiB.
   * @throws P4Error - nothing was accepted; but `connection-lost`: the daemon ended in this moment, and it may have
   *   been.
   */
  async send(value: Value, options: SendOptions = {}): Promise<Receipt> {
    const { service = CHAT, ttlSeconds, latest } = options;
    if (service === CHAT && typeof value === "string" && ttlSeconds === undefined && !latest) {
      const path = `/v1/chat/${quoted(this.reference)}`;
      const line = await this.#client.ask<ChatLine>("POST", path, { body: { text: value } });
      return new ChatReceipt(this.#client, this.reference, line);
    }
    const members = [part("ttl", ttlSeconds), part("latest", latest || undefined)].filter(Boolean).join(",");
    const parcel = { value: JSON.stringify(encoded(value)).slice(1, -1), members, alone: Boolean(latest) };
    return this.#receipt(await this.#client.outbox.send(`${this.#path}/messages`, service, parcel));
  }

  /** Hand over several messages, all or none, with one write to disk. See {@link send}. */
  async sendMany(
    values: readonly Value[],
    options: { service: string; ttlSeconds?: number },
  ): Promise<readonly Receipt[]> {
    const { service, ttlSeconds } = options;
    const body = {
      service,
      values: values.map(encoded),
      ...(ttlSeconds === undefined ? {} : { ttl: ttlSeconds }),
    };
    const answer = await this.#client.request("POST", `${this.#path}/messages/batch`, { body });
    return (answer as { receipts: unknown[] }).receipts.map((entry) => this.#receipt(entry));
  }

  #receipt(entry: unknown): Receipt {
    return new Receipt(this.#client, this.reference, camel(entry) as { id: string; state: string });
  }

  /** Its messages for a service; see `Client.messages`. */
  messages(service: string, options: Omit<MessagesOptions, "contact"> = {}): Messages {
    return new Messages(this.#client, service, { ...options, contact: this.reference });
  }

  // -- calls and streams ---------------------------------------------------------------------------------

  /**
   * Ask a service of the contact and wait for its reply. It is executed at most once.
   *
   * @param argument - bytes, or JSON; up to 1 MiB.
   * @throws P4Error - no result; `mayHaveRun` says whether it may have been executed. {@link CallFailed}: the
   *   service said so. `connection-lost`: the daemon ended; it may have been executed.
   */
  async call(service: string, argument: Value = null, options: CallOptions = {}): Promise<Value> {
    const { deadlineSeconds = CALL_SECONDS, signal } = options;
    const answer = await this.#client.request("POST", `${this.#path}/calls/${quoted(service)}`, {
      body: { deadline: deadlineSeconds, ...encoded(argument) },
      timeoutSeconds: deadlineSeconds + MARGIN_SECONDS,
      signal,
    });
    return decoded(answer as Record<string, unknown>);
  }

  /**
   * Open a byte stream to a service: the one of this name, if it was opened before.
   *
   * @throws P4Error - `not-granted`, `too-many`.
   */
  async stream(service: string, name = ""): Promise<Stream> {
    return openStream(this.#client, this.reference, service, name);
  }

  /** The next stream that it opens to a service of this device; see `Client.nextStream`. */
  async nextStream(service: string, options: { signal?: AbortSignal } = {}): Promise<Stream> {
    return acceptStream(this.#client, service, { ...options, contact: this.reference });
  }
}

/** A member of an object as JSON; empty if there is none. */
function part(name: string, value: unknown): string {
  return value === undefined ? "" : `"${name}":${JSON.stringify(value)}`;
}
