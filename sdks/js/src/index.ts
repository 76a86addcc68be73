/**
 * P4 for Node: a client of the local daemon, and identities, envelopes and invites.
 *
 * @packageDocumentation
 */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Client } from "./client/client.js";
import { Connection, noDaemon } from "./client/connection.js";
import { P4Error } from "./errors.js";
import { nodeCryptography } from "./platform/node-cryptography.js";
import { NodeTransport } from "./platform/node-transport.js";
import { useCryptography } from "./platform/platform.js";
import type { Endpoint } from "./platform/transport.js";

export * from "./common.js";

useCryptography(nodeCryptography);

/** Where the daemon is. */
export interface ConnectOptions {
  /** Directory of the device; `~/.p4` by default. Its daemon is found by what it wrote there. */
  stateDir?: string;
  /** Instead of a directory: address of the daemon, `http://127.0.0.1:PORT`. */
  url?: string;
  /** What `p4 token new` gave your application, with `url`. */
  token?: string;
  /** How long a request waits for a daemon that has gone, seconds; 20 by default. */
  restartSeconds?: number;
}

/**
 * A client of the daemon.
 *
 * @throws P4Error - `no-daemon`: none runs; `p4 up` starts one. `bad-endpoint`: both a directory and an address are
 *   given, or a token without an address.
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { stateDir, url, token, restartSeconds = 20 } = options;
  if ((stateDir !== undefined && url !== undefined) || (token !== undefined && url === undefined)) {
    throw new P4Error("Give either a state directory, or an address and a token.", {
      code: "bad-endpoint",
      type: "InputError",
    });
  }
  const directory = stateDir ?? join(homedir(), ".p4");
  const find = (): Endpoint | Promise<Endpoint> =>
    url === undefined ? findEndpoint(directory) : fixed(url, token);
  const client = new Client(new Connection(find, new NodeTransport(), restartSeconds));
  try {
    await client.identity();
  } catch (error) {
    client.close();
    throw error;
  }
  return client;
}

/** What the daemon that works on a directory has written about itself. It may have been killed since. */
async function findEndpoint(stateDir: string): Promise<Endpoint> {
  let entry: { unix_path?: unknown; port?: unknown; owner_token?: unknown };
  try {
    entry = JSON.parse(await readFile(join(stateDir, "daemon", "endpoint.json"), "utf8")) as typeof entry;
  } catch (error) {
    throw noDaemon(stateDir, error);
  }
  const { unix_path: unix, port, owner_token: token } = entry;
  if (typeof unix === "string" && process.platform !== "win32") return { url: "http://localhost", unix };
  if (typeof port !== "number" || typeof token !== "string") throw noDaemon(stateDir);
  return { url: `http://127.0.0.1:${String(port)}`, token };
}

function fixed(url: string, token: string | undefined): Endpoint {
  return { url: url.replace(/\/+$/, ""), ...(token === undefined ? {} : { token }) };
}
