<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** Something that is wrong, and what to do. */
final class Finding extends Record
{
    public function __construct(
        public readonly string $subject,
        public readonly string $level,
        public readonly string $text,
        public readonly string $advice,
    ) {
    }
}
