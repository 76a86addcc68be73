<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** A token that was just made. */
final class NewToken extends Record
{
    public function __construct(
        /** The secret, told this once. */
        public readonly string $token,
        public readonly string $id,
        public readonly string $app,
        /** @var list<string>|null each covers all below it; null for all */
        public readonly ?array $services,
        /** @var list<string>|null ids; null for all */
        public readonly ?array $contacts,
        public readonly int $createdMs,
        /** Null for never. */
        public readonly ?int $expiresMs,
    ) {
    }
}
