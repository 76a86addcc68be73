<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** One entry of a chat's history. Its text is a stranger's. */
final class ChatLine extends Record
{
    public function __construct(
        /** Its place, rising: compare as numbers. */
        public readonly string $id,
        /** The same on both devices. */
        public readonly string $messageId,
        public readonly bool $mine,
        /** `text`, `file`, `data` or `unreadable`. */
        public readonly string $kind,
        public readonly string $text,
        public readonly ?ChatFile $file,
        /** By its sender's clock. */
        public readonly int $sentMs,
        public readonly int $keptMs,
        /** `sending`, `queued`, `delivered`, `consumed`, `seen`, `failed`; for the contact's `received`. */
        public readonly string $state,
        /** Why it failed. */
        public readonly string $reason,
    ) {
    }
}
