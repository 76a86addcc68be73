import { fromBase64, toBase64, toHex, utf8 } from "../bytes.js";
import { P4Error } from "../errors.js";
import { cryptography } from "../platform/platform.js";
import { canonicalInside } from "./canonical.js";
import { type Identity, isPeerId, peerIdOf, verifySignature, verifySignatureAsync } from "./identity.js";
import { isInteger, isJsonObject, type JsonObject, member, parseObject } from "./json.js";
import { MAX_SKEW_MS } from "./replay.js";

/** Longest line with its end, in bytes. */
const LINE_BYTES = 64 * 1024;
const VERSION = 1;
/** Bytes of the member that a signature is in a line. */
const SIGNATURE_MEMBER = ',"signature_b64":""'.length + 88;
const VERIFIED_HERE = Symbol("verified here");

/** A payload that its sender signed for us, recently. Only {@link Envelope.verify} makes one. */
export class Verified {
  /**
   * @internal
   */
  constructor(
    proof: symbol,
    /** Peer id of the sender. */
    readonly sender: string,
    /** Unix time in milliseconds, by the sender's clock. */
    readonly timestampMs: number,
    /** 16 bytes as 32 hex digits: for the sender's `ReplayWindow`. */
    readonly nonceHex: string,
    /** What was signed. Nothing is known of its meaning. */
    readonly payload: Readonly<JsonObject>,
  ) {
    if (proof !== VERIFIED_HERE) throw new TypeError("a Verified comes from Envelope.verify only");
  }
}

/** What to hold an envelope against. */
export interface Expected {
  /** Our own peer id. */
  me: string;
  /** Unix time in milliseconds; now by default. */
  nowMs?: number;
  /** Accepted difference of clocks in milliseconds, either way. */
  maxSkewMs?: number;
  /** Id of the contact whose key it is, if that has rotated its key; by default the id of the key. */
  contact?: string;
}

/** A well-formed envelope of which nothing is proven. Use it to look up the sender's key, no more. */
export class Envelope {
  private constructor(
    /** Who claims to have sent it. */
    readonly sender: string,
    /** For whom it is. */
    readonly recipient: string,
    readonly timestampMs: number,
    readonly nonceHex: string,
    readonly payload: Readonly<JsonObject>,
    private readonly signature: Uint8Array,
  ) {}

  /**
   * Read an envelope and check its form (spec/envelope.md, "Reading and verifying", 1 to 4).
   *
   * @param line - one line without its end.
   * @throws P4Error - `too-long`; a code of {@link parseObject}; `missing-field`, `bad-field`, `bad-version`.
   */
  static parse(line: Uint8Array | string): Envelope {
    // A text is measured only if it may be too long: a UTF-16 unit is at most three bytes of UTF-8.
    const short = typeof line === "string" && 3 * line.length < LINE_BYTES;
    if (!short && (typeof line === "string" ? utf8(line) : line).length >= LINE_BYTES) {
      throw refusal(`The line is longer than ${String(LINE_BYTES)} bytes with its end.`, "too-long");
    }
    const fields = parseObject(line, "EnvelopeError");
    // First of all: of an unknown version we know no other field.
    need(fields, "protocol_version", isInteger(fields, "protocol_version"));
    if (fields["protocol_version"] !== VERSION) {
      throw refusal("The envelope is of another protocol version than 1.", "bad-version");
    }
    const text = (key: string, pattern: RegExp): string => {
      const value = member(fields, key);
      need(fields, key, typeof value === "string" && pattern.test(value));
      return value as string;
    };
    const sender = text("sender_peer_id", /^[0-9a-f]{24}$/);
    const recipient = text("recipient_peer_id", /^[0-9a-f]{24}$/);
    const timestampMs = member(fields, "timestamp_ms") as number;
    need(fields, "timestamp_ms", isInteger(fields, "timestamp_ms") && timestampMs >= 0);
    const nonceHex = text("nonce", /^[0-9a-f]{32}$/);
    const payload = member(fields, "payload");
    need(fields, "payload", isJsonObject(payload));
    const signature = bytesOfSignature(text("signature_b64", /^[A-Za-z0-9+/]{86}==$/));
    // Unknown keys beside these are signed by nobody, and dropped here.
    return new Envelope(sender, recipient, timestampMs, nonceHex, payload as JsonObject, signature);
  }

  /**
   * Prove that the owner of the key sent this to us at about this time. Ask the sender's `ReplayWindow` next, and
   * act only when the new window is on disk.
   *
   * @throws P4Error - in this order: `wrong-sender`, `wrong-recipient`, `bad-time`, `bad-signature`.
   */
  verify(publicKey: Uint8Array, expected: Expected): Verified {
    const signed = this.#check(publicKey, expected);
    return this.#proven(verifySignature(publicKey, this.signature, signed));
  }

  /**
   * As {@link verify}, but the signature is not checked on this thread: in Node on those of libuv, in browsers on
   * WebCrypto's where it has Ed25519. Many at a time use all processors, and the event loop goes on meanwhile.
   */
  async verifyAsync(publicKey: Uint8Array, expected: Expected): Promise<Verified> {
    const signed = this.#check(publicKey, expected);
    return this.#proven(await verifySignatureAsync(publicKey, this.signature, signed));
  }

  /** Everything but the signature; gives what was signed. */
  #check(publicKey: Uint8Array, expected: Expected): Uint8Array {
    if ((expected.contact ?? peerIdOf(publicKey)) !== this.sender) {
      throw refusal("The envelope names another sender than the key belongs to.", "wrong-sender");
    }
    if (this.recipient !== expected.me) {
      throw refusal("The envelope is addressed to somebody else.", "wrong-recipient");
    }
    const nowMs = expected.nowMs ?? Date.now();
    if (Math.abs(nowMs - this.timestampMs) > (expected.maxSkewMs ?? MAX_SKEW_MS)) {
      throw refusal(
        "The sender's clock and ours differ too much. Correct the clock that is wrong.",
        "bad-time",
      );
    }
    const { sender, recipient, timestampMs, nonceHex, payload } = this;
    return utf8(signedText(sender, recipient, timestampMs, nonceHex, payload));
  }

  #proven(good: boolean): Verified {
    if (!good) throw refusal("The signature is not the sender's.", "bad-signature");
    return new Verified(VERIFIED_HERE, this.sender, this.timestampMs, this.nonceHex, this.payload);
  }
}

/** When an envelope was made, and which one it is. */
export interface SealChoices {
  /** Unix time in milliseconds; now by default. */
  timestampMs?: number;
  /** 16 bytes that were never used before; random by default. */
  nonce?: Uint8Array;
}

/**
 * Sign a payload for a recipient.
 *
 * @param identity - the sender.
 * @param recipient - peer id of the only one that will accept it.
 * @param payload - a JSON object.
 * @returns One line of JSON without its end, itself in canonical form.
 * @throws P4Error - the payload has no canonical form. RangeError: an argument has the wrong form.
 */
export function seal(
  identity: Identity,
  recipient: string,
  payload: Readonly<Record<string, unknown>>,
  choices: SealChoices = {},
): string {
  const signed = signedLine(identity, recipient, payload, choices);
  return signed.with(identity.sign(signed.bytes));
}

/** As {@link seal}, but not signed on this thread: see {@link Envelope.verifyAsync}. */
export async function sealAsync(
  identity: Identity,
  recipient: string,
  payload: Readonly<Record<string, unknown>>,
  choices: SealChoices = {},
): Promise<string> {
  const signed = signedLine(identity, recipient, payload, choices);
  return signed.with(await identity.signAsync(signed.bytes));
}

/** What to sign, and the line that a signature makes of it. */
function signedLine(
  identity: Identity,
  recipient: string,
  payload: Readonly<Record<string, unknown>>,
  choices: SealChoices,
): { bytes: Uint8Array; with: (signature: Uint8Array) => string } {
  const { timestampMs = Date.now(), nonce = cryptography().random(16) } = choices;
  if (nonce.length !== 16) throw new RangeError(`a nonce has 16 bytes, not ${String(nonce.length)}`);
  if (!isPeerId(recipient)) throw new RangeError("the recipient is not a peer id");
  if (!Number.isSafeInteger(timestampMs) || timestampMs < 0) throw new RangeError("a time is a whole number");
  const text = signedText(identity.peerId, recipient, timestampMs, toHex(nonce), payload);
  const bytes = utf8(text);
  const length = bytes.length + SIGNATURE_MEMBER;
  if (length >= LINE_BYTES) {
    throw new RangeError(`an envelope of ${String(length)} bytes does not fit into a line`);
  }
  // The signature's key comes between the others: one sorted text, written once.
  const end = text.lastIndexOf(',"timestamp_ms":');
  const line = (signature: Uint8Array): string =>
    `${text.slice(0, end)},"signature_b64":"${toBase64(signature)}"${text.slice(end)}`;
  return { bytes, with: line };
}

/** The canonical form of what is signed. Its own members are known: only the payload's need be sorted. */
function signedText(
  sender: string,
  recipient: string,
  timestampMs: number,
  nonceHex: string,
  payload: Readonly<Record<string, unknown>>,
): string {
  return (
    `{"nonce":"${nonceHex}","payload":${canonicalInside(payload, 1)},"protocol_version":${String(VERSION)},` +
    `"recipient_peer_id":"${recipient}","sender_peer_id":"${sender}","timestamp_ms":${String(timestampMs)}}`
  );
}

function need(fields: JsonObject, key: string, good: boolean): void {
  if (member(fields, key) === undefined) throw refusal(`The envelope has no ${key}.`, "missing-field");
  if (!good) throw refusal(`The ${key} of the envelope has the wrong form.`, "bad-field");
}

function bytesOfSignature(text: string): Uint8Array {
  try {
    return fromBase64(text);
  } catch {
    throw refusal("The signature_b64 of the envelope has the wrong form.", "bad-field");
  }
}

function refusal(message: string, code: string): P4Error {
  return new P4Error(message, { code, type: "EnvelopeError" });
}
