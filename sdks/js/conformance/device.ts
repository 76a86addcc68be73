// L1: the device, its contacts, and what is sent to them.
import { type Client, connect, type Json, type Receipt } from "../src/index.js";
import { type Arguments, contactEntry, members, type Operation, valueOf, within } from "./protocol.js";

/** So long requests wait for a daemon that was killed. */
const RESTART_SECONDS = 60;

export class Device {
  readonly #clients = new Map<string, Client>();
  readonly #receipts = new Map<string, Receipt>();

  client(given: Arguments): Client {
    const client = this.#clients.get(given["client"] as string);
    if (client === undefined) throw new Error("no such client");
    return client;
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  #contact(given: Arguments): ReturnType<Client["contact"]> {
    return this.client(given).contact(given["contact"] as string);
  }

  #receipt(given: Arguments): Receipt {
    const receipt = this.#receipts.get(given["receipt"] as string);
    if (receipt === undefined) throw new Error("no such receipt");
    return receipt;
  }

  readonly operations: Record<string, Operation> = {
    connect: async ({ client, state_dir, url, token }) => {
      const where =
        url === undefined
          ? { stateDir: state_dir as string }
          : { url: url as string, token: token as string };
      this.#clients.set(client as string, await connect({ ...where, restartSeconds: RESTART_SECONDS }));
      return {};
    },
    disconnect: (given) => {
      this.client(given).close();
      this.#clients.delete(given["client"] as string);
      return {};
    },
    identity: async (given) => {
      const { id, name, publicKey } = await this.client(given).identity();
      return { id, name, public_key: publicKey };
    },
    status: async (given) => {
      const { id, contacts } = await this.client(given).status();
      return { id, contacts: contacts.map((contact) => contact.name) };
    },
    services: async (given) => {
      const services = await this.client(given).services();
      return { services: services.map((one) => ({ service: one.service, serves_calls: one.servesCalls })) };
    },
    request: async (given) => {
      const options = "body" in given ? { body: given["body"] as Json } : {};
      const { method, path } = given as { method: string; path: string };
      return { body: await this.client(given).request(method, path, options) };
    },
    "token.new": async (given) => {
      const { id, token } = await this.client(given).newToken(given["app"] as string, {
        services: given["services"] as string[] | null,
        contacts: given["contacts"] as string[] | null,
        expiresInSeconds: given["expires_in_seconds"] as number | null,
      });
      return { id, token };
    },
    "token.list": async (given) => ({ ids: (await this.client(given).tokens()).map(({ id }) => id) }),
    "token.revoke": async (given) => {
      await this.client(given).revokeToken(given["token_id"] as string);
      return {};
    },
    "pairing.create": async (given) => {
      const { pairing } = this.client(given);
      const { id, text } = await pairing.create({ name: given["name"] as string });
      await pairing.waitFindable(id);
      return { invite: id, text };
    },
    "pairing.add": async (given) => {
      const contact = await this.client(given).pairing.add(given["text"] as string, {
        name: given["name"] as string,
        patienceSeconds: given["patience_seconds"] as number,
      });
      return { contact: contactEntry(contact) };
    },
    "pairing.wait": async (given) => ({
      contact: contactEntry(await this.client(given).pairing.wait(given["invite"] as string)),
    }),
    "pairing.cancel": async (given) => {
      await this.client(given).pairing.cancel(given["invite"] as string);
      return {};
    },
    "contact.list": async (given) => ({ contacts: (await this.client(given).contacts()).map(contactEntry) }),
    "contact.status": async (given) => {
      const { id, name, connected, queuedMessages } = await this.#contact(given).status();
      return { id, name, connected, queued_messages: queuedMessages };
    },
    "contact.ping": async (given) => ({ round_trip_seconds: await this.#contact(given).ping() }),
    "contact.rename": async (given) => ({
      name: (await this.#contact(given).rename(given["name"] as string)).name,
    }),
    "contact.remove": async (given) => {
      await this.#contact(given).remove();
      return {};
    },
    "contact.grant": async (given) => ({
      grants: await this.#contact(given).grant(...(given["services"] as string[])),
    }),
    "contact.revoke": async (given) => {
      await this.#contact(given).revoke(given["service"] as string);
      return {};
    },
    "contact.grants": async (given) => ({ grants: await this.#contact(given).grants() }),
    "contact.set_policy": async (given) => {
      await this.#contact(given).setPolicy(given["policy"] as "direct");
      return {};
    },
    "contact.verification": async (given) => ({ words: (await this.#contact(given).verification()).words }),
    "contact.call": async (given) => {
      const options = { deadlineSeconds: given["deadline_seconds"] as number };
      return members(await this.#contact(given).call(given["service"] as string, valueOf(given), options));
    },
    "message.send": async (given) => {
      const receipt = await this.#contact(given).send(valueOf(given), {
        service: given["service"] as string,
        ...("ttl_seconds" in given ? { ttlSeconds: given["ttl_seconds"] as number } : {}),
        ...("latest" in given ? { latest: given["latest"] as string } : {}),
      });
      this.#receipts.set(given["receipt"] as string, receipt);
      return { id: receipt.id };
    },
    "message.send_many": async (given) => {
      const values = (given["values"] as Arguments[]).map(valueOf);
      const receipts = await this.#contact(given).sendMany(values, { service: given["service"] as string });
      return { ids: receipts.map(({ id }) => id) };
    },
    "receipt.delivered": async (given) => {
      const receipt = this.#receipt(given);
      await within(given["timeout_seconds"] as number, (signal) => receipt.delivered({ signal }));
      return {};
    },
    "receipt.consumed": async (given) => {
      const receipt = this.#receipt(given);
      await within(given["timeout_seconds"] as number, (signal) => receipt.consumed({ signal }));
      return {};
    },
    "chat.say": async (given) => ({
      message_id: (await this.#contact(given).send(given["text"] as string)).id,
    }),
    "chat.history": async (given) => {
      const { contact, limit } = given as { contact: string; limit: number };
      const { entries } = await this.client(given).chat.page(contact, { limit });
      return {
        entries: entries.map(({ messageId, mine, text }) => ({ message_id: messageId, mine, text })),
      };
    },
  };
}
