<?php

declare(strict_types=1);

namespace P4\Core;

/** An accepted envelope. */
final class ReplayEntry
{
    public function __construct(
        /** Its time, Unix milliseconds. */
        public readonly int $timestampMs,
        /** Its nonce, 32 hex digits. */
        public readonly string $nonceHex,
    ) {
    }
}
