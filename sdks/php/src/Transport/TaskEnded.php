<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * Ends a task that nobody needs any more. No exception, so that no `catch (\Exception)` goes on.
 *
 * @internal
 */
final class TaskEnded extends \Error
{
}
