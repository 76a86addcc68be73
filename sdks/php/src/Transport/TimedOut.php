<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * The time is over.
 *
 * @internal
 */
final class TimedOut extends \RuntimeException
{
}
