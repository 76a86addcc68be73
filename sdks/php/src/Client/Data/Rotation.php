<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** Where the last change of this device's key stands. */
final class Rotation extends Record
{
    public function __construct(
        /** The id that follows from the key of today. */
        public readonly string $id,
        public readonly string $publicKey,
        public readonly int $rotations,
        /** @var list<ContactName> contacts that have not confirmed it */
        #[ListOf(ContactName::class)]
        public readonly array $waiting,
        /** Former private keys that are kept for these. */
        public readonly int $keptKeys,
    ) {
    }
}
