/** Bytes and their spellings. Nothing here is lenient: one spelling for one value. */

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const PIECE = 0x8000;

/** The bytes of a text in UTF-8. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of bytes in UTF-8, byte order mark included. Throws a TypeError if they are none. */
export function fromUtf8(data: Uint8Array): string {
  return decoder.decode(data);
}

/** Lower-case hex. */
export function toHex(data: Uint8Array): string {
  if (typeof Buffer !== "undefined") {
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");
  }
  let text = "";
  for (const byte of data) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The bytes of hex digits. Throws a RangeError for anything else. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) throw new RangeError("not hex");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Standard padded base64 (RFC 4648, section 4). */
export function toBase64(data: Uint8Array): string {
  if (typeof Buffer !== "undefined") {
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  }
  let text = "";
  for (let start = 0; start < data.length; start += PIECE) {
    text += String.fromCharCode(...data.subarray(start, start + PIECE));
  }
  return btoa(text);
}

/**
 * The bytes of standard padded base64.
 *
 * @throws RangeError - another spelling: no padding, other letters, unused bits that are set, white space.
 */
export function fromBase64(text: string): Uint8Array {
  let data: Uint8Array;
  if (typeof Buffer !== "undefined") {
    data = new Uint8Array(Buffer.from(text, "base64"));
  } else {
    try {
      data = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    } catch {
      throw new RangeError("not base64");
    }
  }
  if (toBase64(data) !== text) throw new RangeError("not canonical base64");
  return data;
}

/** Whether two byte strings are the same. Not for secrets: it takes as long as they agree. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, place) => byte === other[place]);
}
