import { P4Error } from "../errors.js";

/** Most messages in one request; the daemon takes 1000. */
const MOST_VALUES = 500;
/** Most UTF-16 units of their values, but for one alone; the daemon takes 2 MiB. */
const MOST_TEXT = 512 * 1024;
/** Statuses of a refusal that may be the fault of one message among many. Nothing of a request was accepted. */
const REFUSED = new Set([400, 409, 413, 422, 507]);

/** What is to be handed over. */
export interface Parcel {
  /** The members `value` or `base64`, as JSON without its braces. */
  readonly value: string;
  /** Other members that the request needs, such as `"ttl":5`, as JSON; messages with the same go together. */
  readonly members: string;
  /** Whether it must be a request by itself, of `/messages`. */
  readonly alone?: boolean;
}

interface Waiting extends Parcel {
  readonly resolve: (receipt: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Asks the daemon: POST of a JSON text to a path. */
export type Post = (path: string, json: string) => Promise<unknown>;

/**
 * Messages on their way to the daemon. Those of one contact and service go in their order, one request at a time:
 * what is handed over while one is under way goes together in the next, with one write to disk for all of it.
 */
export class Outbox {
  readonly #post: Post;
  /** By contact and service; absent where nothing is under way. */
  readonly #lines = new Map<string, Waiting[]>();

  constructor(post: Post) {
    this.#post = post;
  }

  /**
   * Hand over a message.
   *
   * @param path - of the contact's messages.
   * @returns Its receipt as the daemon gives it, when it is on disk.
   */
  send(path: string, service: string, parcel: Parcel): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { ...parcel, resolve, reject };
      const name = `${path} ${service}`;
      const line = this.#lines.get(name);
      if (line !== undefined) {
        line.push(waiting);
        return;
      }
      const begun = [waiting];
      this.#lines.set(name, begun);
      void this.#run(path, service, begun, name);
    });
  }

  async #run(path: string, service: string, line: Waiting[], name: string): Promise<void> {
    while (line.length > 0) {
      await Promise.resolve(); // what is sent in the same moment goes in the same request
      const error = await this.#hand(path, service, line.splice(0, together(line)));
      if (error instanceof P4Error && error.code === "no-daemon") {
        // Who waited behind these has waited for the daemon, too.
        for (const waiting of line.splice(0)) waiting.reject(error);
      }
    }
    this.#lines.delete(name); // in the same moment, so that nobody joins a line that is not looked at any more
  }

  /** Hand over some that go together; gives the error if there was one. Everybody is told. */
  async #hand(path: string, service: string, parcels: readonly Waiting[]): Promise<unknown> {
    const [first, ...others] = parcels;
    if (first === undefined) return undefined;
    const head = `{"service":${JSON.stringify(service)}${first.members && `,${first.members}`}`;
    try {
      if (others.length === 0) {
        first.resolve(await this.#post(path, `${head},${first.value}}`));
        return undefined;
      }
      const values = parcels.map(({ value }) => `{${value}}`).join(",");
      const answer = await this.#post(`${path}/batch`, `${head},"values":[${values}]}`);
      const { receipts } = answer as { receipts: unknown[] };
      parcels.forEach(({ resolve }, place) => {
        resolve(receipts[place]);
      });
      return undefined;
    } catch (error) {
      if (others.length > 0 && error instanceof P4Error && REFUSED.has(error.status)) {
        // All or none: one of them may be the reason, and the others are not to suffer from it.
        const half = Math.ceil(parcels.length / 2);
        await this.#hand(path, service, parcels.slice(0, half));
        return this.#hand(path, service, parcels.slice(half));
      }
      for (const { reject } of parcels) reject(error);
      return error;
    }
  }
}

/** How many from the beginning of a line one request takes. */
function together(line: readonly Waiting[]): number {
  const [first] = line;
  if (first === undefined || first.alone === true) return 1;
  let text = 0;
  let count = 0;
  for (const { value, members, alone } of line) {
    text += value.length;
    const fits = count === 0 || (count < MOST_VALUES && text <= MOST_TEXT);
    if (!fits || alone === true || members !== first.members) break;
    count += 1;
  }
  return count;
}
