import { getPublicKey, hashes, sign, verify } from "@noble/ed25519";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { sha3_256 } from "@noble/hashes/sha3.js";
import type { Cryptography } from "./platform.js";

hashes.sha512 = (message: Uint8Array) => sha512(message);

/**
 * Cryptography in JavaScript alone. WebCrypto would be faster, but it has no SHA-3, no synchronous form, and no
 * Ed25519 in browsers that are still in use.
 */
export const browserCryptography: Cryptography = {
  sha256: (data) => sha256(data),
  sha3_256: (data) => sha3_256(data),
  publicKeyOf: (seed) => getPublicKey(seed),
  signer(seed) {
    const own = Uint8Array.from(seed);
    return (message) => sign(message, own);
  },
  verify(key, signature, message) {
    try {
      // RFC 8032's rules, not those of ZIP 215: other spellings of points are refused.
      return verify(signature, message, key, { zip215: false });
    } catch {
      return false;
    }
  },
  random: (length) => globalThis.crypto.getRandomValues(new Uint8Array(length)),
};
