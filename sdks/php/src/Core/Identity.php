<?php

declare(strict_types=1);

namespace P4\Core;

/** A device's own key pair (spec/identity.md). */
final class Identity
{
    /** Raw 32-byte public key. */
    public readonly string $publicKey;
    /** The id derived from the public key. */
    public readonly string $peerId;
    private readonly string $keyPair;

    /**
     * @param string $seed the 32-byte private key
     * @throws \InvalidArgumentException it is not 32 bytes
     */
    public function __construct(#[\SensitiveParameter] string $seed)
    {
        if (strlen($seed) !== Keys::BYTES) {
            throw new \InvalidArgumentException('An Ed25519 seed has 32 bytes, not ' . strlen($seed) . '.');
        }
        $this->keyPair = sodium_crypto_sign_seed_keypair($seed);
        $this->publicKey = sodium_crypto_sign_publickey($this->keyPair);
        $this->peerId = Keys::peerId($this->publicKey);
    }

    /** A new identity with random keys. */
    public static function generate(): self
    {
        return new self(Engines::current()->newSeed());
    }

    /** The private key: 32 bytes, secret. */
    public function seed(): string
    {
        return substr(sodium_crypto_sign_secretkey($this->keyPair), 0, Keys::BYTES);
    }

    /** The 64-byte Ed25519 signature over the message. */
    public function sign(string $message): string
    {
        return sodium_crypto_sign_detached($message, sodium_crypto_sign_secretkey($this->keyPair));
    }

    /**
     * For `var_dump`, and so for logs: without the private key.
     *
     * @return array<string, string>
     */
    public function __debugInfo(): array
    {
        return ['peerId' => $this->peerId];
    }

    /** Secrets are not serialized by the way. */
    public function __serialize(): never
    {
        throw new \LogicException('An Identity is not serialized: keep its seed where secrets are kept.');
    }

    /**
     * The seed in base64.
     *
     * @internal
     */
    public function seedText(): string
    {
        return base64_encode($this->seed());
    }
}
