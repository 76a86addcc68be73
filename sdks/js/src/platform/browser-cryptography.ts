import { getPublicKey, hashes, sign, verify } from "@noble/ed25519";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { sha3_256 } from "@noble/hashes/sha3.js";
import { fromHex, toHex } from "../bytes.js";
import { isUsableKey } from "../envelope/identity.js";
import type { Cryptography } from "./platform.js";

hashes.sha512 = (message: Uint8Array) => sha512(message);

/** The beginning of a PKCS #8 private key (RFC 8410, section 7). */
const PRIVATE_PREFIX = fromHex("302e020100300506032b657004220420");
const ED25519 = { name: "Ed25519" };

/** Public keys that WebCrypto has imported; null for those that can prove nothing. */
const MOST_KEYS = 1024;
const imported = new Map<string, Promise<CryptoKey | null>>();

/** Whether this browser's WebCrypto has Ed25519; found out once. */
let known: Promise<boolean> | undefined;

function hasEd25519(): Promise<boolean> {
  // Outside of secure contexts there is no `subtle`, whatever the types say.
  known ??= Promise.resolve().then(async () => {
    try {
      await globalThis.crypto.subtle.importKey("raw", getPublicKey(new Uint8Array(32)), ED25519, true, [
        "verify",
      ]);
      return true;
    } catch {
      return false;
    }
  });
  return known;
}

/** Null where WebCrypto cannot sign. */
async function privateKey(seed: Uint8Array): Promise<CryptoKey | null> {
  if (!(await hasEd25519())) return null;
  const encoded = own(Uint8Array.of(...PRIVATE_PREFIX, ...seed));
  return globalThis.crypto.subtle.importKey("pkcs8", encoded, ED25519, false, ["sign"]);
}

function publicKey(raw: Uint8Array): Promise<CryptoKey | null> {
  const name = toHex(raw);
  let key = imported.get(name);
  if (key === undefined) {
    // Browsers differ in what they think of points of small order: that is decided here.
    key = isUsableKey(raw)
      ? globalThis.crypto.subtle.importKey("raw", own(raw), ED25519, true, ["verify"]).catch(() => null)
      : Promise.resolve(null);
    if (imported.size >= MOST_KEYS) imported.clear();
    imported.set(name, key);
  }
  return key;
}

/** A copy that nobody else changes, and that is not shared memory, which WebCrypto refuses. */
function own(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(data);
}

/**
 * Cryptography in JavaScript alone; in the background that of the browser where it has Ed25519. WebCrypto has no
 * SHA-3, no synchronous form, and no Ed25519 in browsers that are still in use.
 */
export const browserCryptography: Cryptography = {
  sha256: (data) => sha256(data),
  sha3_256: (data) => sha3_256(data),
  publicKeyOf: (seed) => getPublicKey(seed),
  signer(seed) {
    const kept = own(seed);
    let key: Promise<CryptoKey | null> | undefined;
    return {
      sign: (message) => sign(message, kept),
      async signInBackground(message) {
        const found = await (key ??= privateKey(kept));
        if (found === null) return sign(message, kept);
        return new Uint8Array(await globalThis.crypto.subtle.sign(ED25519, found, own(message)));
      },
    };
  },
  verify(key, signature, message) {
    try {
      // RFC 8032's rules, not those of ZIP 215: other spellings of points are refused.
      return verify(signature, message, key, { zip215: false });
    } catch {
      return false;
    }
  },
  async verifyInBackground(key, signature, message) {
    if (key.length !== 32 || signature.length !== 64) return false;
    if (!(await hasEd25519())) return this.verify(key, signature, message);
    const found = await publicKey(key);
    if (found === null) return false;
    return globalThis.crypto.subtle.verify(ED25519, found, own(signature), own(message));
  },
  random: (length) => globalThis.crypto.getRandomValues(new Uint8Array(length)),
};
