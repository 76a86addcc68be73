/** Signs with one key. */
export interface Signer {
  /** The 64-byte Ed25519 signature over the message. */
  sign(message: Uint8Array): Uint8Array;
  /** As {@link sign}, elsewhere than on the caller's thread where that can be. */
  signInBackground(message: Uint8Array): Promise<Uint8Array>;
}

/** What differs between Node and browsers: the cryptography that is at hand. */
export interface Cryptography {
  /** SHA-256 of the bytes. */
  sha256(data: Uint8Array): Uint8Array;
  /** SHA3-256 of the bytes (FIPS 202). */
  sha3_256(data: Uint8Array): Uint8Array;
  /** The raw Ed25519 public key of a 32-byte seed (RFC 8032). */
  publicKeyOf(seed: Uint8Array): Uint8Array;
  /** What signs with a seed; made once for a key, since that takes time. */
  signer(seed: Uint8Array): Signer;
  /** Whether the signature is the key's. False, never an error, for anything that cannot be used. */
  verify(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean;
  /** As {@link verify}, elsewhere than on the caller's thread where that can be. */
  verifyInBackground(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): Promise<boolean>;
  /** Random bytes from the system. */
  random(length: number): Uint8Array;
}

let chosen: Cryptography | undefined;

/** Choose the cryptography. Each entry of the package does it with the one that fits. */
export function useCryptography(cryptography: Cryptography): void {
  chosen = cryptography;
}

/** The cryptography in use. */
export function cryptography(): Cryptography {
  if (chosen === undefined) throw new Error("Import the package by its name, not its inner files.");
  return chosen;
}
