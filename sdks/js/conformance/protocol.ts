// What all operations have in common.
import { fromBase64, toBase64 } from "../src/bytes.js";
import { type ContactName, type Json, P4Error, type Value } from "../src/index.js";

/* eslint-disable-next-line @typescript-eslint/no-explicit-any -- requests are data; a wrong form fails the case */
export type Arguments = Record<string, any>;
export type Result = Record<string, unknown>;
export type Operation = (given: Arguments) => Result | Promise<Result>;

/** The value among the arguments: JSON, or bytes. */
export function valueOf(given: Arguments): Value {
  return typeof given["base64"] === "string" ? fromBase64(given["base64"]) : (given["value"] as Json);
}

/** A value as members of a result. */
export function members(value: Value): Result {
  return value instanceof Uint8Array ? { base64: toBase64(value) } : { value };
}

/** A contact in a result. */
export function contactEntry({ id, name }: ContactName): Result {
  return { id, name };
}

/** The error that the protocol wants when something did not come in time. */
export function timedOut(seconds: number): P4Error {
  return new P4Error(`Nothing came within ${seconds} s.`, { code: "timeout" });
}

/** Waits at most so long, by a signal that ends the waiting. */
export async function within<Found>(
  seconds: number,
  wait: (signal: AbortSignal) => Promise<Found>,
): Promise<Found> {
  const ending = new AbortController();
  const timer = setTimeout(() => {
    ending.abort(timedOut(seconds));
  }, seconds * 1000);
  try {
    return await wait(ending.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits at most so long for what cannot be ended; it goes on, and is not lost if it is kept. */
export async function atMost<Found>(seconds: number, found: Promise<Found>): Promise<Found> {
  return within(seconds, (signal) => {
    found.catch(() => undefined);
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => {
        reject(signal.reason as P4Error);
      });
      found.then(resolve, reject);
    });
  });
}

/** An iterator of which `next` may give up waiting; what comes later is there for the next one. */
export class Following<Item> {
  readonly #items: AsyncIterator<Item>;
  #next: Promise<IteratorResult<Item>> | undefined;

  constructor(items: AsyncIterable<Item>) {
    this.#items = items[Symbol.asyncIterator]();
  }

  async next(seconds: number): Promise<Item> {
    this.#next ??= this.#items.next();
    const found = await atMost(seconds, this.#next).catch((error: unknown) => {
      if (!(error instanceof P4Error && error.code === "timeout")) this.#next = undefined;
      throw error;
    });
    this.#next = undefined;
    if (found.done === true) throw new Error("there is no next one");
    return found.value;
  }
}
