/**
 * P4 for browsers: a client of the daemon that served the page, and identities, envelopes and invites.
 *
 * @packageDocumentation
 */
import { Client } from "./client/client.js";
import { Connection } from "./client/connection.js";
import { browserCryptography } from "./platform/browser-cryptography.js";
import { BrowserTransport } from "./platform/browser-transport.js";
import { useCryptography } from "./platform/platform.js";

export * from "./common.js";

useCryptography(browserCryptography);

/** Where the daemon is. */
export interface ConnectOptions {
  /** Address of the daemon; by default that of the page. */
  url?: string;
  /**
   * Of your application. Only requests carry it: a browser sends no token with a WebSocket, where the cookie of the
   * page's login counts.
   */
  token?: string;
  /** How long a request waits for a daemon that has gone, seconds; 20 by default. */
  restartSeconds?: number;
}

/**
 * A client of the daemon. The daemon answers pages of its own origin only.
 *
 * @throws P4Error - `no-daemon`, `no-token`.
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { url = "", token, restartSeconds = 20 } = options;
  const endpoint = { url: url.replace(/\/+$/, ""), ...(token === undefined ? {} : { token }) };
  const client = new Client(new Connection(() => endpoint, new BrowserTransport(), restartSeconds));
  try {
    await client.identity();
  } catch (error) {
    client.close();
    throw error;
  }
  return client;
}
