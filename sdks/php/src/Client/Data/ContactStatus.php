<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** A contact and how it is at the moment. */
final class ContactStatus extends Record
{
    public function __construct(
        public readonly string $id,
        /** As the user calls it; may be empty. */
        public readonly string $name,
        public readonly bool $connected,
        public readonly string $state,
        public readonly int $protocol,
        /** `direct`, `relay-only` or `lan-only`. */
        public readonly string $policy,
        /** @var list<string> the services of this device that it may use */
        public readonly array $grants,
        public readonly ?LinkPath $path,
        /** Seconds. */
        public readonly ?float $roundTrip,
        /** Bytes a second. */
        public readonly ?float $sending,
        /** Bytes a second. */
        public readonly ?float $receiving,
        public readonly int $queuedMessages,
        public readonly ?int $queuedBytes,
        public readonly int $openStreams,
        /** Unix milliseconds; 0 for never. */
        public readonly int $lastSeenMs,
        /** Why there is no link, in a sentence. */
        public readonly string $whyNot,
        public readonly ?int $nextAttemptMs,
        public readonly string $lanes,
        /** `no`, `verified` or `verified-before-rotation`. */
        public readonly string $verification,
        public readonly bool $blocked,
    ) {
    }

    /** Its name, or the beginning of its id if it has none. */
    public function label(): string
    {
        return $this->name !== '' ? $this->name : substr($this->id, 0, 8);
    }
}
