import { fromUtf8 } from "../bytes.js";
import { P4Error } from "../errors.js";

/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** A JSON object. */
export type JsonObject = Record<string, Json>;

/** Objects and arrays within each other, the outermost counting as 1. */
export const MAX_DEPTH = 32;

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
// eslint-disable-next-line no-control-regex -- JSON forbids exactly these
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NO_NUMBER = /NaN|-?Infinity/y;
const WORDS: readonly (readonly [string, Json])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

/** Members that were written with a fraction or an exponent: `1.0` is no integer (spec/envelope.md). */
const fractional = new WeakMap<object, Set<string>>();

/** Whether a member of an object that was read here is an integer, also by its spelling. */
export function isInteger(object: JsonObject, key: string): boolean {
  return Number.isSafeInteger(object[key]) && fractional.get(object)?.has(key) !== true;
}

/** Whether a value is a JSON object. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of the object itself, never of what objects inherit. */
export function member(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** An error of this layer. */
export function problem(message: string, code: string, type = "RemoteError"): P4Error {
  return new P4Error(message, { code, type });
}

/**
 * Read exactly one JSON object within the profile of spec/envelope.md, "JSON profile".
 *
 * @param data - bytes, already bounded in size by the caller, or a text.
 * @param type - `P4Error.type` of what is thrown.
 * @throws P4Error - `not-utf8`, `not-json`, `not-object`, `duplicate-key`, `bad-number`, `bad-string`, `too-deep`.
 */
export function parseObject(data: Uint8Array | string, type = "RemoteError"): JsonObject {
  const value = parseValue(data, type);
  if (!isJsonObject(value)) {
    throw problem("The outermost JSON value is not an object.", "not-object", type);
  }
  return value;
}

/** As {@link parseObject}, for any JSON value. */
export function parseValue(data: Uint8Array | string, type = "RemoteError"): Json {
  let text: string;
  try {
    text = typeof data === "string" ? data : fromUtf8(data);
  } catch {
    throw problem("The text is not valid UTF-8.", "not-utf8", type);
  }
  return new Reader(text, type).whole();
}

/** Whether a text has no half of a surrogate pair. */
export function isWellFormed(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- the range is ASCII, which is the usual case
  return /^[\u0000-\u007f]*$/.test(text) || !/\p{Surrogate}/u.test(text);
}

class Reader {
  readonly #text: string;
  readonly #type: string;
  #place = 0;
  #fraction = false;

  constructor(text: string, type: string) {
    this.#text = text;
    this.#type = type;
  }

  whole(): Json {
    const value = this.#value(1);
    if (this.#place !== this.#text.length) throw this.#notJson();
    return value;
  }

  /** A value and the white space around it. */
  #value(depth: number): Json {
    this.#skip();
    const letter = this.#text[this.#place];
    let value: Json;
    this.#fraction = false;
    if (letter === "{") value = this.#object(depth);
    else if (letter === "[") value = this.#array(depth);
    else if (letter === '"') value = this.#string();
    else value = this.#word();
    this.#skip();
    return value;
  }

  #object(depth: number): JsonObject {
    this.#enter(depth);
    const value: JsonObject = {};
    if (this.#follows("}")) return value;
    do {
      this.#skip();
      const key = this.#string();
      if (Object.hasOwn(value, key)) {
        // Readers differ in which of the two they take: one signature, two meanings.
        throw problem("An object has the same key twice.", "duplicate-key", this.#type);
      }
      this.#skip();
      if (!this.#follows(":")) throw this.#notJson();
      const inner = this.#value(depth + 1);
      if (this.#fraction) {
        const known = fractional.get(value);
        if (known === undefined) fractional.set(value, new Set([key]));
        else known.add(key);
      }
      // Not by assignment: "__proto__" is a key like any other.
      if (key === "__proto__") {
        Object.defineProperty(value, key, {
          value: inner,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      } else value[key] = inner;
    } while (this.#follows(","));
    if (!this.#follows("}")) throw this.#notJson();
    this.#fraction = false;
    return value;
  }

  #array(depth: number): Json[] {
    this.#enter(depth);
    const value: Json[] = [];
    if (this.#follows("]")) return value;
    do value.push(this.#value(depth + 1));
    while (this.#follows(","));
    if (!this.#follows("]")) throw this.#notJson();
    this.#fraction = false;
    return value;
  }

  #enter(depth: number): void {
    if (depth > MAX_DEPTH) {
      throw problem(`The JSON is nested deeper than ${String(MAX_DEPTH)} levels.`, "too-deep", this.#type);
    }
    this.#place += 1;
    this.#skip();
  }

  #string(): string {
    const token = this.#match(STRING);
    if (token === undefined) throw this.#notJson();
    const value = token.includes("\\") ? (JSON.parse(token) as string) : token.slice(1, -1);
    if (!isWellFormed(value)) {
      throw problem("A string has half of a surrogate pair.", "bad-string", this.#type);
    }
    return value;
  }

  #word(): Json {
    for (const [word, value] of WORDS) {
      if (this.#text.startsWith(word, this.#place)) {
        this.#place += word.length;
        return value;
      }
    }
    if (this.#match(NO_NUMBER) !== undefined) {
      throw problem("NaN and Infinity are no JSON numbers.", "bad-number", this.#type);
    }
    const token = this.#match(NUMBER);
    if (token === undefined) throw this.#notJson();
    const value = Number(token);
    if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) {
      throw problem("A number is beyond 2^53-1.", "bad-number", this.#type);
    }
    this.#fraction = /[.eE]/.test(token);
    return value;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#place;
    const token = pattern.exec(this.#text)?.[0];
    this.#place += token?.length ?? 0;
    return token;
  }

  #follows(letter: string): boolean {
    const found = this.#text[this.#place] === letter;
    if (found) this.#place += 1;
    return found;
  }

  #skip(): void {
    const code = this.#text.charCodeAt(this.#place);
    if (code <= 32) this.#match(SPACE);
  }

  #notJson(): P4Error {
    return problem("The text is not valid JSON.", "not-json", this.#type);
  }
}
