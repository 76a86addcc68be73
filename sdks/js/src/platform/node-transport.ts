import { Agent, type IncomingMessage, request as httpRequest } from "node:http";
import { WebSocket } from "ws";
import { fromUtf8 } from "../bytes.js";
import { Queue } from "../queue.js";
import {
  ConnectionBroken,
  type Endpoint,
  NotSent,
  Refused,
  type Transport,
  type TransportAnswer,
  type TransportRequest,
  type TransportSocket,
} from "./transport.js";

/** Most bytes of one WebSocket message of the daemon; its largest is far below. */
const MESSAGE_BYTES = 64 * 1024 * 1024;
/** Most idle connections that are kept; more are opened as they are needed. */
const IDLE_CONNECTIONS = 16;
/** The daemon keeps idle connections for 65 s; ones that are older than this are not used again. */
const IDLE_MS = 30_000;
const NEVER_CONNECTED = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "EACCES",
  "ENOTSOCK",
  "EHOSTUNREACH",
  "ENOTFOUND",
]);

/** HTTP over TCP or a unix socket, and WebSockets, through Node and `ws`. */
export class NodeTransport implements Transport {
  readonly #agent = new Agent({
    keepAlive: true,
    maxFreeSockets: IDLE_CONNECTIONS,
    scheduling: "lifo",
    timeout: IDLE_MS, // of those that are idle; what is under way is not ended by it
  });

  request(endpoint: Endpoint, request: TransportRequest): Promise<TransportAnswer> {
    const { method, path, headers, body, signal } = request;
    return new Promise((resolve, reject) => {
      const address = new URL(endpoint.url);
      const sent = httpRequest(
        {
          ...(endpoint.unix === undefined
            ? { host: address.hostname, port: address.port }
            : { socketPath: endpoint.unix }),
          method,
          path,
          headers: {
            Host: address.host,
            ...headers,
            ...authorization(endpoint),
            ...(body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) }),
          },
          agent: this.#agent,
          signal,
        },
        (answer) => {
          resolve({
            status: answer.statusCode ?? 0,
            mediaType: answer.headers["content-type"] ?? "",
            body: pieces(answer, signal),
          });
        },
      );
      sent.on("error", (error: NodeJS.ErrnoException) => {
        if (signal.aborted) reject(signal.reason as Error);
        else reject(failure(error));
      });
      sent.end(body);
    });
  }

  open(endpoint: Endpoint, path: string, signal: AbortSignal): Promise<TransportSocket> {
    const base = endpoint.url.replace(/^http/, "ws");
    const address = endpoint.unix === undefined ? base + path : `ws+unix:${endpoint.unix}:${path}`;
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(address, {
        headers: authorization(endpoint),
        maxPayload: MESSAGE_BYTES,
        perMessageDeflate: false,
      });
      // Before it is open, so that nothing that arrives with the handshake is missed.
      const wrapped = new NodeSocket(socket);
      const stop = (): void => {
        socket.terminate();
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      const settled = (): void => {
        signal.removeEventListener("abort", stop);
      };
      socket.once("open", () => {
        settled();
        resolve(wrapped);
      });
      socket.once("error", (error: NodeJS.ErrnoException) => {
        settled();
        reject(failure(error));
      });
      socket.once("unexpected-response", (_request, answer) => {
        settled();
        textOf(answer).then(
          (text) => {
            reject(new Refused(answer.statusCode ?? 0, text));
          },
          () => {
            reject(new ConnectionBroken("The handshake was cut off."));
          },
        );
      });
      if (signal.aborted) stop();
    });
  }

  /** Close idle connections. */
  close(): void {
    this.#agent.destroy();
  }
}

class NodeSocket implements TransportSocket {
  readonly #socket: WebSocket;
  readonly #arrived = new Queue<string | Uint8Array>();

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer, binary: boolean) => {
      this.#arrived.push(binary ? new Uint8Array(data) : data.toString("utf8"));
    });
    socket.on("close", () => {
      this.#arrived.end();
    });
    socket.on("error", () => undefined); // "close" follows, and says all that matters
  }

  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      // The callback comes when the system has taken it: that is the back-pressure.
      this.#socket.send(data, (error) => {
        if (error == null) resolve();
        else reject(new ConnectionBroken("The WebSocket has ended.", { cause: error }));
      });
    });
  }

  close(): void {
    this.#socket.close(1000);
  }

  [Symbol.asyncIterator](): AsyncIterator<string | Uint8Array> {
    return this.#arrived[Symbol.asyncIterator]();
  }
}

async function* pieces(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const piece of answer) yield piece as Buffer;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new ConnectionBroken("The answer was cut off.", { cause: error });
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const piece of answer) parts.push(piece as Buffer);
  return fromUtf8(Buffer.concat(parts));
}

function authorization(endpoint: Endpoint): Record<string, string> {
  return endpoint.token === undefined ? {} : { Authorization: `Bearer ${endpoint.token}` };
}

function failure(error: NodeJS.ErrnoException): Error {
  const unconnected = NEVER_CONNECTED.has(error.code ?? "");
  return unconnected
    ? new NotSent("There is no connection.", { cause: error })
    : new ConnectionBroken("The connection ended.", { cause: error });
}
