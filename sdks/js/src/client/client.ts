import {
  Connection,
  FEED_OPENED,
  JsonSocket,
  type ListenOptions,
  type RequestOptions,
} from "./connection.js";
import { Chat } from "./chat.js";
import { Contact } from "./contact.js";
import { type Datagrams, openDatagrams } from "./datagrams.js";
import { Messages, type MessagesOptions } from "./messages.js";
import { camel } from "./names.js";
import { Outbox } from "./outbox.js";
import { Pairing } from "./pairing.js";
import { type Handler, serve, type Serving } from "./serving.js";
import type { ServerSentEvent } from "./sse.js";
import { acceptStream, type Stream } from "./streams.js";
import type {
  ContactStatus,
  DaemonEvent,
  DeviceIdentity,
  DeviceStatus,
  Diagnosis,
  NewToken,
  Rotation,
  ServiceUse,
  TokenRecord,
  WebLogin,
} from "./types.js";
import { type Parameters, quoted } from "./values.js";

/** Which events to follow. */
export interface EventsOptions {
  /** Ends the events, without an error. */
  signal?: AbortSignal;
  /** Called when the daemon was away, so events may be missing: look at how things are. */
  restarted?: () => void;
}

/**
 * A connection to the daemon; made by `connect`.
 *
 * It goes on by itself when the daemon restarts: what is asked while the daemon is away waits for it, and then
 * throws `no-daemon`. Every method throws {@link P4Error} with the daemon's code.
 */
export class Client {
  /** Invites of this device, and taking those of others. */
  readonly pairing: Pairing;
  /** What people say to each other. */
  readonly chat: Chat;
  /**
   * Messages on their way to the daemon.
   *
   * @internal
   */
  readonly outbox: Outbox;
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.outbox = new Outbox((path, json) => this.request("POST", path, { json }));
    this.pairing = new Pairing(this);
    this.chat = new Chat(this);
  }

  /** Close the connection. The daemon goes on. What is under way ends with the error `closed`. */
  close(): void {
    this.#connection.close();
  }

  // -- the device ----------------------------------------------------------------------------------------

  /** Who this device is. */
  async identity(): Promise<DeviceIdentity> {
    return this.ask("GET", "/v1/identity");
  }

  /** Call this device otherwise towards those it pairs with from now on; empty for the machine's name. */
  async renameDevice(name: string): Promise<DeviceIdentity> {
    return this.ask("PATCH", "/v1/identity", { body: { name }, repeatable: true });
  }

  /** How the node and all its contacts are. */
  async status(): Promise<DeviceStatus> {
    return this.ask("GET", "/v1/status");
  }

  /** What keeps this device from its contacts. @param tor - also looks at Tor, which takes longer. */
  async doctor(tor = true): Promise<Diagnosis> {
    return this.ask("GET", "/v1/doctor", { parameters: { tor } });
  }

  /** Figures in Prometheus' text format. */
  async metrics(): Promise<string> {
    return (await this.request("GET", "/v1/metrics")) as string;
  }

  /** Who serves and reads what in this daemon. */
  async services(): Promise<readonly ServiceUse[]> {
    return (await this.ask<{ services: ServiceUse[] }>("GET", "/v1/services")).services;
  }

  /** Ask the daemon to end; gives its process id. What was accepted is on disk. */
  async shutdown(): Promise<number> {
    return (await this.ask<{ pid: number }>("POST", "/v1/shutdown")).pid;
  }

  /** Where the last change of the device's key stands. */
  async rotation(): Promise<Rotation> {
    return this.ask("GET", "/v1/identity/rotation");
  }

  /** Take a new key; contacts follow. Never asked twice, for each is another one. */
  async rotate(): Promise<Rotation> {
    return this.ask("POST", "/v1/identity/rotation");
  }

  // -- contacts ------------------------------------------------------------------------------------------

  /**
   * A contact by its name, its id, or a unique beginning of its id; looked up when it is used.
   *
   * @throws P4Error - `bad-name`: it cannot name anything.
   */
  contact(reference: string): Contact {
    return new Contact(this, reference);
  }

  /** All contacts, and how each is. */
  async contacts(): Promise<readonly ContactStatus[]> {
    return (await this.ask<{ contacts: ContactStatus[] }>("GET", "/v1/contacts")).contacts;
  }

  // -- what contacts send and ask ------------------------------------------------------------------------

  /**
   * The messages of contacts for a service, each once.
   *
   * ```ts
   * for await (const message of me.messages("notes")) {
   *   keep(message.value);
   *   message.done();
   * }
   * ```
   *
   * Reading throws `in-use` for services that the daemon's own apps read, such as `chat`.
   */
  messages(service: string, options: MessagesOptions = {}): Messages {
    return new Messages(this, service, options);
  }

  /**
   * The next byte stream that a contact opens to a service; waits for it.
   *
   * One that was not finished comes again, also after restarts: go on at its `position`.
   */
  async nextStream(
    service: string,
    options: { contact?: string; signal?: AbortSignal } = {},
  ): Promise<Stream> {
    return acceptStream(this, service, options);
  }

  /** Datagrams of a service, from and to all contacts. */
  async datagrams(service: string): Promise<Datagrams> {
    return openDatagrams(this, service);
  }

  /**
   * Answer the calls for a service, also after restarts of the daemon. Resolves when calls are taken.
   *
   * @param handler - gives the result of a call; a `CallFailed` that it throws reaches the caller.
   * @throws P4Error - `already-served`, `no-daemon`.
   */
  async serve(service: string, handler: Handler): Promise<Serving> {
    return serve(this, service, handler);
  }

  /**
   * What happens in the daemon from now on, until the caller stops.
   *
   * @param kinds - only these, such as `link.up`; none for all. `feed.missed` comes in any case, and
   *   {@link FEED_OPENED}, if it is named, whenever events come from then on: look at how things are.
   */
  async *events(
    kinds: readonly string[] = [],
    options: EventsOptions = {},
  ): AsyncGenerator<DaemonEvent, void> {
    const subjects = [...new Set(kinds.map((kind) => kind.split(".")[0] ?? ""))].sort().join(",");
    const listening = this.listen("/v1/events", {
      parameters: { types: subjects || null },
      tellOpened: kinds.includes(FEED_OPENED),
      ...options,
    });
    for await (const event of listening) {
      if (kinds.length === 0 || kinds.includes(event.kind) || event.kind === "feed.missed") {
        yield { kind: event.kind, data: camel(JSON.parse(event.data)) as Record<string, unknown> };
      }
    }
  }

  // -- who else may use the daemon -----------------------------------------------------------------------

  /** The tokens of apps, without their secrets. */
  async tokens(): Promise<readonly TokenRecord[]> {
    return (await this.ask<{ tokens: TokenRecord[] }>("GET", "/v1/tokens")).tokens;
  }

  /**
   * Make a token for an app.
   *
   * @param limits - `services` it may use, each covering all below it, null for all; `contacts` it may reach, by
   *   name or id, null for all; `expiresInSeconds`, null for never.
   */
  async newToken(
    app: string,
    limits: {
      services: readonly string[] | null;
      contacts?: readonly string[] | null;
      expiresInSeconds?: number | null;
    },
  ): Promise<NewToken> {
    const { services, contacts = null, expiresInSeconds = null } = limits;
    return this.ask("POST", "/v1/tokens", {
      body: { app, services, contacts, expires_in: expiresInSeconds },
    });
  }

  /** End a token, and what is under way with it. Throws `unknown`. */
  async revokeToken(id: string): Promise<void> {
    await this.request("DELETE", `/v1/tokens/${quoted(id)}`, { repeatable: false });
  }

  /** A link that logs one browser of this machine in, once, within a minute. */
  async webLogin(): Promise<WebLogin> {
    return this.ask("POST", "/v1/web-logins");
  }

  // -- what everything else is made of -------------------------------------------------------------------

  /**
   * Ask the daemon for anything (spec/daemon-api).
   *
   * @param path - with `/v1`, names in it quoted.
   * @returns The JSON value of the answer as it is, null for an empty one, text for any other.
   * @throws P4Error - what the daemon says; `no-daemon`, `no-answer`, or `connection-lost`: it may have been done.
   */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<unknown> {
    const { mediaType, text } = await this.#connection.request(method, path, options);
    if (text === "") return null;
    return /\bjson\b/.test(mediaType) ? (JSON.parse(text) as unknown) : text;
  }

  /** As {@link request}, with the names of the answer in the spelling of JavaScript. */
  async ask<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    return camel(await this.request(method, path, options)) as T;
  }

  /** Server-sent events of any path, across restarts of the daemon. */
  listen(path: string, options: ListenOptions = {}): AsyncGenerator<ServerSentEvent, void> {
    return this.#connection.listen(path, options);
  }

  /** A WebSocket of the daemon; it ends with the daemon. */
  async socket(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<JsonSocket> {
    return this.#connection.socket(path, parameters, signal);
  }
}
