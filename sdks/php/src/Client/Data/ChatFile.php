<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** A file that a line of chat speaks of. */
final class ChatFile extends Record
{
    public function __construct(
        public readonly string $name,
        public readonly int $size,
        public readonly string $transfer,
    ) {
    }
}
