<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * The handshake of a WebSocket was answered otherwise.
 *
 * @internal
 */
final class Refused extends \RuntimeException
{
    public function __construct(public readonly int $status, public readonly string $body)
    {
        parent::__construct("status $status");
    }
}
