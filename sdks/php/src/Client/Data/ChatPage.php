<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** A part of a history, oldest first. */
final class ChatPage extends Record
{
    public function __construct(
        /** @var list<ChatLine> */
        #[ListOf(ChatLine::class)]
        public readonly array $entries,
        /** For the page before this one; null if there is none. */
        public readonly ?string $before,
        public readonly int $unread,
    ) {
    }
}
