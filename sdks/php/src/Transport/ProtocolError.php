<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * The other side breaks RFC 6455.
 *
 * @internal
 */
final class ProtocolError extends \RuntimeException
{
    /** @param int $closeCode with which to close (section 7.4.1) */
    public function __construct(public readonly int $closeCode, string $message)
    {
        parent::__construct($message);
    }
}
