import { P4Error } from "../errors.js";
import { isWellFormed, MAX_DEPTH } from "./json.js";

/**
 * The one text that stands for a JSON value: RFC 8785.
 *
 * @param value - null, boolean, number, string, array or plain object, nested at most 32 levels.
 * @throws P4Error - `bad-string`, `bad-number`, `too-deep` or `not-json`: the value has no canonical form.
 */
export function canonicalText(value: unknown): string {
  return write(value, 0);
}

/** As {@link canonicalText}, for a value that so many objects and arrays surround. */
export function canonicalInside(value: unknown, depth: number): string {
  return write(value, depth);
}

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return writeString(value);
    case "number":
      if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) {
        throw refusal("A number is beyond 2^53-1 or not finite.", "bad-number");
      }
      return String(value); // section 3.2.2.3 is ECMAScript's own form; that of -0 is "0"
    case "boolean":
      return value ? "true" : "false";
    case "object":
      break;
    default:
      throw refusal(`A ${typeof value} is not a JSON value.`, "not-json");
  }
  if (value === null) return "null";
  if (depth >= MAX_DEPTH) {
    throw refusal(`The JSON is nested deeper than ${String(MAX_DEPTH)} levels.`, "too-deep");
  }
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(",")}]`;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw refusal("Only plain objects are JSON values.", "not-json");
  }
  const members = value as Record<string, unknown>;
  // sort() compares UTF-16 code units, as section 3.2.3 demands.
  const written = Object.keys(members)
    .sort()
    .map((key) => `${writeString(key)}:${write(members[key], depth + 1)}`);
  return `{${written.join(",")}}`;
}

function writeString(text: string): string {
  if (!isWellFormed(text)) throw refusal("A string has half of a surrogate pair.", "bad-string");
  return JSON.stringify(text);
}

function refusal(message: string, code: string): P4Error {
  return new P4Error(`This value cannot be written as JSON: ${message}`, { code, type: "InputError" });
}
