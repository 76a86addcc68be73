<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** An invite of this device at one moment. */
final class DeviceInvite extends Record
{
    public function __construct(
        public readonly string $id,
        /** `link`, `words` or `local-words`. */
        public readonly string $kind,
        /** The link or the words, secret; empty once it has ended. */
        public readonly string $text,
        public readonly string $name,
        public readonly int $createdMs,
        public readonly int $expiresAtMs,
        /** `open`, `claimed`, `paired`, or the code of why it ended. */
        public readonly string $state,
        /** Whether a guest would find the device now. */
        public readonly bool $findable,
        /** Why it ended, in sentences. */
        public readonly string $message,
        /** Who is paired by it. */
        public readonly ?ContactName $contact,
    ) {
    }

    /** Whether it can still be used. */
    public function isOpen(): bool
    {
        return in_array($this->state, ['open', 'claimed'], true);
    }
}
