import { CallFailed, P4Error } from "../errors.js";
import type { Client } from "./client.js";
import type { JsonSocket } from "./connection.js";
import type { ContactName } from "./types.js";
import { decoded, encoded, quoted, type Value } from "./values.js";

/** Before a service that ended with its daemon is taken up again. */
const PAUSE_MS = 50;

/** A contact asks. */
export interface IncomingCall {
  readonly contact: ContactName;
  /** Which one was meant, of those that the handler serves. */
  readonly service: string;
  /** Bytes, or JSON. */
  readonly argument: Value;
  /** Seconds until the caller gave up, when the call arrived. */
  readonly remainingSeconds: number;
  /** Comes when nobody waits for the result any more. */
  readonly signal: AbortSignal;
}

/**
 * Gives the result: bytes, or JSON, at once or by a promise. {@link CallFailed} reaches the caller as it is; any
 * other error becomes `internal`, and its text stays here, on `console.error`.
 */
export type Handler = (call: IncomingCall) => Value | undefined | void | Promise<Value | undefined | void>;

/** A service that is answered; made by `Client.serve`. */
export class Serving {
  /**
   * Resolves after {@link close}; rejects if the service can be served no more, such as with `no-daemon`. You need
   * not await it.
   */
  readonly ended: Promise<void>;
  readonly #ending: AbortController;

  /** @internal */
  constructor(ended: Promise<void>, ending: AbortController) {
    this.ended = ended;
    this.#ending = ending;
    ended.catch(() => undefined);
  }

  /** Answer no more. Calls under way fail. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.ended.catch(() => undefined);
  }
}

/** Answer the calls for a service, and begin again when the daemon restarts. Resolves when calls are taken. */
export async function serve(client: Client, service: string, handler: Handler): Promise<Serving> {
  const ending = new AbortController();
  let ended = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    ended = run(client, service, handler, ending.signal, resolve);
    ended.catch(reject);
  });
  return new Serving(ended, ending);
}

async function run(
  client: Client,
  service: string,
  handler: Handler,
  ending: AbortSignal,
  serving: () => void,
): Promise<void> {
  for (;;) {
    let socket: JsonSocket;
    try {
      socket = await client.socket(`/v1/services/${quoted(service)}/serve`, {}, ending);
    } catch (error) {
      if (ending.aborted) return; // closed while it waited for a daemon that restarts
      throw error;
    }
    const close = (): void => {
      socket.close();
    };
    ending.addEventListener("abort", close);
    if (ending.aborted) close();
    const calls = new Map<string, AbortController>();
    try {
      for await (const entry of socket.messages()) {
        if (entry instanceof Uint8Array) continue;
        const name = entry["id"];
        if (entry["type"] === "serving") serving();
        else if (typeof name !== "string") continue;
        else if (entry["type"] === "cancel") calls.get(name)?.abort();
        else if (entry["type"] === "call") {
          const cancelling = new AbortController();
          calls.set(name, cancelling);
          void answer(socket, name, entry, handler, cancelling.signal).finally(() => calls.delete(name));
        }
      }
    } finally {
      ending.removeEventListener("abort", close);
      socket.close();
      for (const call of calls.values()) call.abort();
    }
    if (ending.aborted) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function answer(
  socket: JsonSocket,
  id: string,
  entry: Readonly<Record<string, unknown>>,
  handler: Handler,
  signal: AbortSignal,
): Promise<void> {
  let reply: object;
  try {
    const result = await handler({
      contact: entry["contact"] as ContactName,
      service: entry["service"] as string,
      argument: decoded(entry),
      remainingSeconds: Number(entry["remaining"] ?? 0),
      signal,
    });
    reply = { type: "result", id, ...encoded(result) };
    JSON.stringify(reply); // what is no JSON is the handler's fault, and said here
  } catch (error) {
    if (signal.aborted) return; // nobody waits any more
    reply = { type: "failed", id, ...reason(error) };
  }
  await socket.send(reply).catch((error: unknown) => {
    // The daemon ended meanwhile: the caller was told that it may have run.
    if (!(error instanceof P4Error)) throw error;
  });
}

function reason(error: unknown): { code: string; message: string; data: unknown } {
  if (error instanceof CallFailed) {
    return { code: error.code, message: error.message, data: error.data["data"] ?? null };
  }
  console.error("The handler of a call failed:", error);
  return { code: "internal", message: "The service failed; its own log knows more.", data: null };
}
