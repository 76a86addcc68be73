<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * There was no connection: whatever was asked, nothing has come of it.
 *
 * @internal
 */
final class NotSent extends \RuntimeException
{
}
