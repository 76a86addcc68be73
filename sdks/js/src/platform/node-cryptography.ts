import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import { isUsableKey } from "../envelope/identity.js";
import type { Cryptography } from "./platform.js";

// The fixed beginnings of the two DER forms (RFC 8410, section 7 and section 4).
const PRIVATE_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** Keys that were imported: that takes a third of the time of a check. Null for those that can prove nothing. */
const MOST_KEYS = 1024;
const imported = new Map<string, KeyObject | null>();

function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: "der", type: "pkcs8" });
}

function publicKey(raw: Uint8Array): KeyObject | null {
  const name = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString("latin1");
  let key = imported.get(name);
  if (key === undefined) {
    // OpenSSL takes points of small order, for which anybody can sign.
    key = isUsableKey(raw)
      ? createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, raw]), format: "der", type: "spki" })
      : null;
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
    return {
      sign: (message) => sign(null, message, key),
      signInBackground: (message) =>
        new Promise((resolve, reject) => {
          sign(null, message, key, (error, signature) => {
            if (error === null) resolve(signature);
            else reject(error);
          });
        }),
    };
  },
  verify(key, signature, message) {
    const found = publicKey(key);
    return found !== null && signature.length === 64 && verify(null, message, found, signature);
  },
  verifyInBackground(key, signature, message) {
    const found = publicKey(key);
    if (found === null || signature.length !== 64) return Promise.resolve(false);
    return new Promise((resolve) => {
      verify(null, message, found, signature, (error, good) => {
        resolve(error === null && good);
      });
    });
  },
  random: (length) => new Uint8Array(randomBytes(length)),
};
