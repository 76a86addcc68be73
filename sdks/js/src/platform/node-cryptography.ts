import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import type { Cryptography } from "./platform.js";

// The fixed beginnings of the two DER forms (RFC 8410, section 7 and section 4).
const PRIVATE_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** Keys that were imported: that takes a third of the time of a check. */
const MOST_KEYS = 1024;
const imported = new Map<string, KeyObject>();

function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: "der", type: "pkcs8" });
}

function publicKey(raw: Uint8Array): KeyObject {
  const name = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString("latin1");
  let key = imported.get(name);
  if (key === undefined) {
    key = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, raw]), format: "der", type: "spki" });
    if (imported.size >= MOST_KEYS) imported.clear();
    imported.set(name, key);
  }
  return key;
}

/** Cryptography of OpenSSL, through Node. */
export const nodeCryptography: Cryptography = {
  sha256: (data) => createHash("sha256").update(data).digest(),
  sha3_256: (data) => createHash("sha3-256").update(data).digest(),
  publicKeyOf(seed) {
    const encoded = createPublicKey(privateKey(seed)).export({ format: "der", type: "spki" });
    return new Uint8Array(encoded.subarray(PUBLIC_PREFIX.length));
  },
  signer(seed) {
    const key = privateKey(seed);
    return (message) => sign(null, message, key);
  },
  verify(key, signature, message) {
    if (key.length !== 32 || signature.length !== 64) return false;
    try {
      return verify(null, message, publicKey(key), signature);
    } catch {
      return false; // OpenSSL refuses some keys that are no points of the curve by an error
    }
  },
  random: (length) => new Uint8Array(randomBytes(length)),
};
