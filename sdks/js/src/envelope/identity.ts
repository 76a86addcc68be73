import { fromBase64, toBase64, toHex } from "../bytes.js";
import { P4Error } from "../errors.js";
import { cryptography, type Signer } from "../platform/platform.js";

/** Bytes of a seed and of a public key. */
const KEY_BYTES = 32;

const FIELD = 2n ** 255n - 19n;
const CURVE_D = mod(-121665n * power(121666n, FIELD - 2n));
/** y of the eight points whose order divides 8, up to sign: order 4, orders 1 and 2, order 8. */
const SMALL_ORDER_Y = [0n, 1n, 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n];

/** Ids by their keys: every envelope of a contact asks for the same. */
const MOST_IDS = 1024;
const ids = new Map<string, string>();

/** The id that belongs to a raw 32-byte public key: 24 hex digits (spec/identity.md, "Peer id"). */
export function peerIdOf(publicKey: Uint8Array): string {
  if (publicKey.length !== KEY_BYTES) return newId(publicKey);
  const key = String.fromCharCode(...publicKey);
  let id = ids.get(key);
  if (id === undefined) {
    id = newId(publicKey);
    if (ids.size >= MOST_IDS) ids.clear();
    ids.set(key, id);
  }
  return id;
}

function newId(publicKey: Uint8Array): string {
  return toHex(cryptography().sha256(publicKey)).slice(0, 24);
}

/** Whether a text has the form of a peer id. */
export function isPeerId(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{24}$/.test(text);
}

/**
 * The raw key in canonical padded base64.
 *
 * @throws P4Error - `bad-key`: any other spelling or length.
 */
export function decodeKey(text: string): Uint8Array {
  try {
    const key = fromBase64(text);
    if (key.length === KEY_BYTES) return key;
  } catch {
    // said below
  }
  throw new P4Error("The key cannot be read: it is not 32 bytes in padded base64.", {
    code: "bad-key",
    type: "InputError",
  });
}

/** A raw key in standard padded base64. */
export function encodeKey(key: Uint8Array): string {
  return toBase64(key);
}

/**
 * Whether the bytes are an Ed25519 public key that can prove something: canonical, on the curve, and not of small
 * order, for which anybody can sign (spec/identity.md, "Keys").
 */
export function isUsableKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES) return false;
  const y = BigInt(`0x${toHex(Uint8Array.from(publicKey).reverse())}`) & ((1n << 255n) - 1n);
  if (y >= FIELD || SMALL_ORDER_Y.includes(y < FIELD - y ? y : FIELD - y)) return false;
  // The curve is -x^2 + y^2 = 1 + d x^2 y^2, so x^2 = u/v; u/v is a square exactly if u*v is.
  const square = mod((y * y - 1n) * (CURVE_D * y * y + 1n));
  return power(square, (FIELD - 1n) / 2n) === 1n;
}

/** Whether the Ed25519 signature over the message is the key's. */
export function verifySignature(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  return cryptography().verify(publicKey, signature, message);
}

/**
 * As {@link verifySignature}, but not on this thread: in Node on those of libuv, in browsers on WebCrypto's where it
 * has Ed25519. Many at a time use all processors, and an event loop goes on meanwhile.
 */
export function verifySignatureAsync(
  publicKey: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  return cryptography().verifyInBackground(publicKey, signature, message);
}

/** A device's own key pair (spec/identity.md). */
export class Identity {
  /** Raw 32-byte public key. */
  readonly publicKey: Uint8Array;
  /** The id derived from the public key. */
  readonly peerId: string;
  readonly #signer: Signer;

  /**
   * @param seed - the 32-byte private key.
   * @throws RangeError - it is not 32 bytes.
   */
  constructor(seed: Uint8Array) {
    if (seed.length !== KEY_BYTES) {
      throw new RangeError(`an Ed25519 seed has 32 bytes, not ${String(seed.length)}`);
    }
    this.publicKey = cryptography().publicKeyOf(seed);
    this.peerId = peerIdOf(this.publicKey);
    this.#signer = cryptography().signer(seed);
  }

  /** A new identity with random keys, and its seed, which is secret. */
  static generate(): { identity: Identity; seed: Uint8Array } {
    const seed = cryptography().random(KEY_BYTES);
    return { identity: new Identity(seed), seed };
  }

  /** The 64-byte Ed25519 signature over the message. */
  sign(message: Uint8Array): Uint8Array {
    return this.#signer.sign(message);
  }

  /** As {@link sign}, but not on this thread: see {@link verifySignatureAsync}. */
  signAsync(message: Uint8Array): Promise<Uint8Array> {
    return this.#signer.signInBackground(message);
  }
}

function mod(value: bigint): bigint {
  const rest = value % FIELD;
  return rest < 0n ? rest + FIELD : rest;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = mod(base), rest = exponent; rest > 0n; rest >>= 1n, square = mod(square * square)) {
    if (rest & 1n) result = mod(result * square);
  }
  return result;
}
