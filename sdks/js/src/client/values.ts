import { fromBase64, toBase64 } from "../bytes.js";
import type { Json } from "../envelope/json.js";
import { P4Error } from "../errors.js";

/** What is sent and arrives: bytes, or JSON. */
export type Value = Json | Uint8Array;

/** A value as members of a request: bytes in base64, anything else as JSON. */
export function encoded(value: unknown): { base64: string } | { value: unknown } {
  if (value instanceof Uint8Array) return { base64: toBase64(value) };
  if (value instanceof ArrayBuffer) return { base64: toBase64(new Uint8Array(value)) };
  return { value: value ?? null };
}

/**
 * The value of an answer's members.
 *
 * @throws P4Error - `bad-body`: the contact's program sent what is no JSON.
 */
export function decoded(entry: Readonly<Record<string, unknown>>): Value {
  if ("value" in entry && (entry["base64"] ?? null) === null) return entry["value"] as Json;
  if (typeof entry["base64"] === "string") return fromBase64(entry["base64"]);
  const problem = typeof entry["problem"] === "string" ? entry["problem"] : "";
  throw new P4Error(problem || "It has neither a JSON value nor bytes.", {
    code: "bad-body",
    type: "FrameError",
  });
}

/**
 * A name or id as one part of a path.
 *
 * @throws P4Error - `bad-name`: it is empty, a dot or two, or has a slash, which a path cannot hold.
 */
export function quoted(part: string): string {
  if (["", ".", ".."].includes(part)) throw badName(`"${part}" names nothing. Nothing was done.`);
  if (part.includes("/")) {
    throw badName(
      `"${part}" has a slash in it. Nothing was done. Use the beginning of the contact's id instead.`,
    );
  }
  return encodeURIComponent(part);
}

/** Parameters of a query; what is null or undefined is left out. */
export type Parameters = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The query of an address, with its question mark; empty for none. */
export function query(parameters: Parameters): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) =>
    value == null ? [] : [[name, String(value)]],
  );
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs).toString()}`;
}

function badName(message: string): P4Error {
  return new P4Error(message, { code: "bad-name", type: "InputError" });
}
