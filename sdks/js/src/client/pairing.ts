import { P4Error } from "../errors.js";
import type { Client } from "./client.js";
import type { ContactName, ContactStatus, DeviceInvite, InviteKind } from "./types.js";
import { quoted } from "./values.js";

const INVITES = "/v1/invites";
const WAIT_SECONDS = 25;
const MARGIN_SECONDS = 30;
const PATIENCE_SECONDS = 120;
const LIFETIME_SECONDS = 600;

/**
 * Pairing of this device, `Client.pairing`.
 *
 * ```ts
 * const invite = await me.pairing.create();
 * console.log(invite.text);
 * const phone = await me.pairing.wait(invite.id);
 * ```
 */
export class Pairing {
  readonly #client: Client;

  /** @internal */
  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Make an invite; on the daemon's disk when this resolves.
   *
   * @param options - `kind`, a link by default; `lifetimeSeconds`, 600 by default; `name`: what the guest shall be
   *   called, by default what it calls itself.
   */
  async create(
    options: { kind?: InviteKind; lifetimeSeconds?: number; name?: string } = {},
  ): Promise<DeviceInvite> {
    const { kind = "link", lifetimeSeconds = LIFETIME_SECONDS, name = "" } = options;
    return this.#client.ask("POST", INVITES, { body: { kind, lifetime: lifetimeSeconds, name } });
  }

  /** The open ones, the oldest first. */
  async list(): Promise<readonly DeviceInvite[]> {
    return (await this.#client.ask<{ invites: DeviceInvite[] }>("GET", INVITES)).invites;
  }

  /** Wait until a guest would find the device by an invite, or the invite has ended. */
  async waitFindable(inviteId: string, options: { signal?: AbortSignal } = {}): Promise<DeviceInvite> {
    for (;;) {
      const invite = await this.#read(inviteId, "findable", options.signal);
      if (invite.findable || !isOpen(invite)) return invite;
    }
  }

  /**
   * Wait until both sides are paired, and give the guest. Goes on over restarts of the daemon.
   *
   * @throws P4Error - type `PairingError`: it ended otherwise, with the reason as its code.
   */
  async wait(inviteId: string, options: { signal?: AbortSignal } = {}): Promise<ContactName> {
    for (;;) {
      const invite = await this.#read(inviteId, "ended", options.signal);
      if (invite.contact !== null) return invite.contact;
      if (invite.state === "closed") {
        await new Promise((resolve) => setTimeout(resolve, 1000)); // the daemon ends; its next run has the invite
      } else if (!isOpen(invite)) {
        throw new P4Error(invite.message, { code: invite.state, type: "PairingError" });
      }
    }
  }

  /** Take an invite back; one that has ended stays as it is. */
  async cancel(inviteId: string): Promise<void> {
    await this.#client.request("DELETE", `${INVITES}/${quoted(inviteId)}`);
  }

  /**
   * Take the invite of another device: a link, words, or the JSON of version 1.
   *
   * @param options - `name`: what the device shall be called here, by default what it calls itself;
   *   `patienceSeconds`: how long it is looked for, 120 by default.
   * @returns The contact; both sides have each other on disk.
   */
  async add(
    invite: string,
    options: { name?: string; patienceSeconds?: number; signal?: AbortSignal } = {},
  ): Promise<ContactStatus> {
    const { name = "", patienceSeconds = PATIENCE_SECONDS, signal } = options;
    return this.#client.ask("POST", "/v1/pairings", {
      body: { invite, name, patience: patienceSeconds },
      repeatable: true, // to be paired twice by the same link is to be paired
      timeoutSeconds: patienceSeconds + MARGIN_SECONDS,
      signal,
    });
  }

  async #read(inviteId: string, wait: string, signal: AbortSignal | undefined): Promise<DeviceInvite> {
    const parameters = { wait, timeout: WAIT_SECONDS };
    return this.#client.ask("GET", `${INVITES}/${quoted(inviteId)}`, { parameters, signal });
  }
}

function isOpen(invite: DeviceInvite): boolean {
  return invite.state === "open" || invite.state === "claimed";
}
