<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * One wait, of a task or of the program itself.
 *
 * @internal
 */
final class Waiter
{
    /** Whether it came to pass; null while it is open. */
    public ?bool $result = null;

    /**
     * @param resource|null $stream
     * @param float|null $until by {@see Loop::now()}; null for ever
     */
    public function __construct(
        public readonly mixed $stream,
        public readonly bool $write,
        public readonly ?float $until,
        public readonly ?\Fiber $fiber,
    ) {
    }
}
