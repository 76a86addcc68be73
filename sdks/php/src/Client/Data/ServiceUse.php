<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** Who uses a service in this daemon. */
final class ServiceUse extends Record
{
    public function __construct(
        public readonly string $service,
        public readonly bool $servesCalls,
        /** How many read its messages. */
        public readonly int $readsMessages,
        /** How many wait for its streams. */
        public readonly int $acceptsStreams,
    ) {
    }
}
