<?php

declare(strict_types=1);

namespace P4\Core;

use P4\P4Exception;

/** What makes and proves envelopes: {@see SodiumEngine}, or {@see NativeEngine} if one asks for it. */
interface Engine
{
    /** 32 random bytes: the private key of a new identity. */
    public function newSeed(): string;

    /** Whether 32 bytes are a public key that can prove something; see {@see Keys::isUsable()}. */
    public function isUsableKey(string $publicKey): bool;

    /**
     * Sign a payload and write the whole envelope in canonical form.
     *
     * @throws P4Exception the payload has no canonical form
     */
    public function seal(
        Identity $sender,
        string $recipient,
        JsonObject $payload,
        int $timestampMs,
        string $nonceHex,
    ): string;

    /** Whether the signature of an envelope that was read is the key's. */
    public function isSigned(Envelope $envelope, string $publicKey): bool;
}
