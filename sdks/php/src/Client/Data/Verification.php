<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** What two people compare. */
final class Verification extends Record
{
    public function __construct(
        public readonly ContactName $contact,
        /** @var list<string> six; the contact's device shows the same for this device */
        public readonly array $words,
        /** For which the words are, base64. */
        public readonly string $publicKey,
        /** `no`, `verified` or `verified-before-rotation`. */
        public readonly string $verification,
        public readonly bool $blocked,
    ) {
    }
}
