<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * There was a connection and it ended: the daemon may have done what was asked.
 *
 * @internal
 */
final class ConnectionBroken extends \RuntimeException
{
}
