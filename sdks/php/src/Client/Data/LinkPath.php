<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** Which way a link goes. */
final class LinkPath extends Record
{
    public function __construct(
        public readonly string $kind,
        public readonly string $local,
        public readonly string $remote,
        public readonly string $localAddress,
        public readonly string $remoteAddress,
        public readonly string $protocol,
        /** Seconds. */
        public readonly ?float $roundTrip,
        public readonly int $bytesSent,
        public readonly int $bytesReceived,
    ) {
    }
}
