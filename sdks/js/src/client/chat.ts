import type { Client } from "./client.js";
import type { ChatConversation, ChatLine, ChatPage } from "./types.js";
import { quoted } from "./values.js";

/** The chat of this device, `Client.chat`: the history that `p4 chat` and the web page show, too. */
export class Chat {
  readonly #client: Client;

  /** @internal */
  constructor(client: Client) {
    this.#client = client;
  }

  /** Every contact's history in short, in the order of the contacts. */
  async conversations(): Promise<readonly ChatConversation[]> {
    return (await this.#client.ask<{ conversations: ChatConversation[] }>("GET", "/v1/chat")).conversations;
  }

  /**
   * A part of a history.
   *
   * @param contact - name, id, or unique beginning of an id.
   * @param options - `before`: only what stands before this entry, by its id; `limit`: most entries, 50 by default.
   */
  async page(contact: string, options: { before?: string; limit?: number } = {}): Promise<ChatPage> {
    const { before, limit = 50 } = options;
    return this.#client.ask("GET", `/v1/chat/${quoted(contact)}`, { parameters: { before, limit } });
  }

  /** Say something; on disk when this resolves. */
  async say(contact: string, text: string): Promise<ChatLine> {
    return this.#client.ask("POST", `/v1/chat/${quoted(contact)}`, { body: { text } });
  }

  /** A person was shown everything up to this entry; the contact is told. */
  async markRead(contact: string, through: string): Promise<void> {
    const options = { body: { through }, repeatable: true };
    await this.#client.request("POST", `/v1/chat/${quoted(contact)}/read`, options);
  }

  /** A person is writing to the contact. */
  async typing(contact: string): Promise<void> {
    await this.#client.request("POST", `/v1/chat/${quoted(contact)}/typing`);
  }

  /** Forget the history, here only. */
  async clear(contact: string): Promise<void> {
    await this.#client.request("DELETE", `/v1/chat/${quoted(contact)}`);
  }
}
