/** How to reach one daemon. */
export interface Endpoint {
  /** Beginning of every address, without a slash at its end. */
  readonly url: string;
  /** Path of the unix socket; absent for TCP. */
  readonly unix?: string;
  /** Of the `Authorization` header; absent on a unix socket, whose mode is the permission. */
  readonly token?: string;
}

/** One HTTP request. */
export interface TransportRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ends the request, and reading its answer. */
  readonly signal: AbortSignal;
}

/** The answer to a request; its body comes in pieces. */
export interface TransportAnswer {
  readonly status: number;
  readonly mediaType: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** A WebSocket: an iterator over what arrives. It ends, without an error, when the connection does. */
export interface TransportSocket extends AsyncIterable<string | Uint8Array> {
  /** Waits while too much is under way. Throws `ConnectionBroken` if the connection has ended. */
  send(data: string | Uint8Array): Promise<void>;
  /** Close the connection, well. */
  close(): void;
}

/** Ways to a daemon; one for Node, one for browsers. */
export interface Transport {
  /** Throws `NotSent`, `ConnectionBroken`, or the reason of the signal. */
  request(endpoint: Endpoint, request: TransportRequest): Promise<TransportAnswer>;
  /** Throws `NotSent`, `ConnectionBroken`, `Refused`, or the reason of the signal. */
  open(endpoint: Endpoint, path: string, signal: AbortSignal): Promise<TransportSocket>;
}

/** There was no connection: whatever was asked, nothing has come of it. */
export class NotSent extends Error {}

/** There was a connection and it ended: the daemon may have done what was asked. */
export class ConnectionBroken extends Error {}

/** The handshake of a WebSocket was answered otherwise. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly body: string,
  ) {
    super(`status ${String(status)}`);
  }
}
