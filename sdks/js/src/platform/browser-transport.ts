import { Queue } from "../queue.js";
import {
  ConnectionBroken,
  type Endpoint,
  type Transport,
  type TransportAnswer,
  type TransportRequest,
  type TransportSocket,
} from "./transport.js";

/** Bytes that may wait in a WebSocket before a sender is held back. */
const WAITING_BYTES = 1024 * 1024;
const LOOK_AGAIN_MS = 10;

/**
 * HTTP and WebSockets of a browser. The daemon answers pages of its own origin only; there the cookie of its login
 * is the permission, and needs no token. A browser cannot send a token with a WebSocket.
 */
export class BrowserTransport implements Transport {
  async request(endpoint: Endpoint, request: TransportRequest): Promise<TransportAnswer> {
    const { method, path, body, signal } = request;
    const headers: Record<string, string> = { ...request.headers };
    if (endpoint.token !== undefined) headers["Authorization"] = `Bearer ${endpoint.token}`;
    let answer: Response;
    try {
      answer = await fetch(endpoint.url + path, {
        method,
        headers,
        signal,
        body: body ?? null,
        cache: "no-store",
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      // A page is not told whether there was a connection, so it may have been done.
      throw new ConnectionBroken("There is no answer.", { cause: error });
    }
    return {
      status: answer.status,
      mediaType: answer.headers.get("Content-Type") ?? "",
      body: pieces(answer, signal),
    };
  }

  open(endpoint: Endpoint, path: string, signal: AbortSignal): Promise<TransportSocket> {
    return new Promise((resolve, reject) => {
      const base = new URL(endpoint.url === "" ? globalThis.location.href : endpoint.url);
      const address = base.origin.replace(/^http/, "ws") + path;
      const socket = new WebSocket(address);
      socket.binaryType = "arraybuffer";
      const wrapped = new BrowserSocket(socket);
      const stop = (): void => {
        socket.close();
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      socket.addEventListener("open", () => {
        signal.removeEventListener("abort", stop);
        resolve(wrapped);
      });
      socket.addEventListener("close", () => {
        signal.removeEventListener("abort", stop);
        reject(new ConnectionBroken("The WebSocket was not opened."));
      });
      if (signal.aborted) stop();
    });
  }

  /** Nothing to close: the browser keeps connections by itself. */
  close(): void {
    // see above
  }
}

class BrowserSocket implements TransportSocket {
  readonly #socket: WebSocket;
  readonly #arrived = new Queue<string | Uint8Array>();

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", (event: MessageEvent<string | ArrayBuffer>) => {
      this.#arrived.push(typeof event.data === "string" ? event.data : new Uint8Array(event.data));
    });
    socket.addEventListener("close", () => {
      this.#arrived.end();
    });
  }

  async send(data: string | Uint8Array): Promise<void> {
    if (this.#socket.readyState !== WebSocket.OPEN) throw new ConnectionBroken("The WebSocket has ended.");
    this.#socket.send(typeof data === "string" ? data : Uint8Array.from(data));
    // What waits in a socket that has ended goes nowhere, and is not waited for.
    for (const socket: WebSocket = this.#socket; socket.bufferedAmount > WAITING_BYTES;) {
      if (socket.readyState !== socket.OPEN) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }

  close(): void {
    this.#socket.close(1000);
  }

  [Symbol.asyncIterator](): AsyncIterator<string | Uint8Array> {
    return this.#arrived[Symbol.asyncIterator]();
  }
}

async function* pieces(answer: Response, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const reader = answer.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new ConnectionBroken("The answer was cut off.", { cause: error });
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
