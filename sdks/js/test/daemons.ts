// Real daemons in direct mode, in temporary directories: `P4_COMMAND up`.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, connect, P4Error } from "../src/index.js";

const COMMAND = process.env["P4_COMMAND"] ?? "p4";
const OPTIONS = "--mode direct --no-lan --no-direct-signaling --retry-seconds 1 --plain --stun-server".split(
  " ",
);
const START_MS = 60_000;

export class TestDaemon {
  readonly home = mkdtempSync(join(tmpdir(), "p4js-"));
  readonly stateDir = join(this.home, ".p4");
  readonly #clients: Client[] = [];
  #process: ChildProcess | undefined;
  #said = "";
  #port: number | undefined;

  /** Resolves when it answers. */
  async start(): Promise<this> {
    // The same after each restart: when both have moved, neither finds the other.
    this.#port ??= await freePort();
    const own = ["--signal-port", String(this.#port), "--state-dir", this.stateDir];
    const child = spawn(COMMAND, ["up", ...OPTIONS, "", ...own], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, HOME: this.home },
    });
    this.#process = child;
    child.stdout.on("data", (text: Buffer) => (this.#said += text.toString()));
    child.stderr.on("data", (text: Buffer) => (this.#said += text.toString()));
    child.on("error", (error) => (this.#said += String(error)));
    const until = Date.now() + START_MS;
    for (;;) {
      try {
        (await connect({ stateDir: this.stateDir })).close();
        return this;
      } catch (error) {
        const waits = error instanceof P4Error && error.code === "no-daemon" && Date.now() < until;
        if (!waits || child.exitCode !== null || child.pid === undefined) {
          throw new Error(`${COMMAND} up did not start: ${this.#said}`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** A client that ends with the daemon's directory. */
  async client(): Promise<Client> {
    const client = await connect({ stateDir: this.stateDir, restartSeconds: 60 });
    this.#clients.push(client);
    return client;
  }

  /** How it is reached over TCP, as its owner. */
  overTcp(): { url: string; token: string } {
    const entry = JSON.parse(readFileSync(join(this.stateDir, "daemon", "endpoint.json"), "utf8")) as {
      port: number;
      owner_token: string;
    };
    return { url: `http://127.0.0.1:${entry.port}`, token: entry.owner_token };
  }

  /** As a power failure does. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async remove(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.kill();
    rmSync(this.home, { recursive: true, force: true });
  }
}

export interface Pair {
  readonly laptop: Client;
  readonly phone: Client;
  readonly laptopDaemon: TestDaemon;
  readonly phoneDaemon: TestDaemon;
  remove(): Promise<void>;
}

/** A laptop and a phone that know each other by these names, have a link, and grant each other some services. */
export async function pair(): Promise<Pair> {
  const [laptopDaemon, phoneDaemon] = [new TestDaemon(), new TestDaemon()];
  const remove = async (): Promise<void> => {
    await Promise.all([laptopDaemon.remove(), phoneDaemon.remove()]);
  };
  try {
    await Promise.all([laptopDaemon.start(), phoneDaemon.start()]);
    const [laptop, phone] = [await laptopDaemon.client(), await phoneDaemon.client()];
    const invite = await laptop.pairing.create({ name: "phone" });
    const [guest, host] = await Promise.all([
      laptop.pairing.wait(invite.id),
      phone.pairing.add(invite.text, { name: "laptop" }),
    ]);
    if (guest.name !== "phone" || host.name !== "laptop") throw new Error("paired under other names");
    for (const [one, other] of [
      [laptop, "phone"],
      [phone, "laptop"],
    ] as const) {
      await one.contact(other).grant("notes", "home", "films", "game");
      await connected(one, other);
    }
    return { laptop, phone, laptopDaemon, phoneDaemon, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return address.port;
}

/** Wait until a contact is connected, and knows what was granted before. */
export async function connected(client: Client, contact: string): Promise<void> {
  for (const until = Date.now() + START_MS; ;) {
    try {
      await client.contact(contact).ping();
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
