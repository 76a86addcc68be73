<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** A link that logs one browser in, once. */
final class WebLogin extends Record
{
    public function __construct(
        public readonly string $url,
        public readonly int $expiresMs,
    ) {
    }
}
