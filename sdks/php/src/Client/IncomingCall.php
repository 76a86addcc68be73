<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Bytes;
use P4\Client\Data\ContactName;
use P4\Transport\Condition;
use P4\Transport\Loop;

/** A contact asks. */
final class IncomingCall
{
    private bool $cancelled = false;
    private readonly Condition $condition;

    /** @internal */
    public function __construct(
        public readonly ContactName $contact,
        /** Which one was meant, of those that the handler serves. */
        public readonly string $service,
        /** {@see Bytes}, or JSON with its objects as `stdClass`. */
        public readonly mixed $argument,
        /** Seconds until the caller gives up, when the call arrived. */
        public readonly float $remainingSeconds,
    ) {
        $this->condition = new Condition();
    }

    /** Whether nobody waits for the result any more. Lets others go on for a moment. */
    public function isCancelled(): bool
    {
        return $this->waitCancelled(0.0);
    }

    /**
     * Wait until nobody waits for the result any more, at most so long.
     *
     * @param float|null $seconds null for ever
     */
    public function waitCancelled(?float $seconds): bool
    {
        return $this->condition->wait(fn (): bool => $this->cancelled, Loop::after($seconds));
    }

    /** @internal */
    public function cancel(): void
    {
        $this->cancelled = true;
        $this->condition->changed();
    }

    /** @internal */
    public function wasCancelled(): bool
    {
        return $this->cancelled;
    }
}
