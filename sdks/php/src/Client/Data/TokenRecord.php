<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** A token of an app, but for its secret. */
final class TokenRecord extends Record
{
    public function __construct(
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
