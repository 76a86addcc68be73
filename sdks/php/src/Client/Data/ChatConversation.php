<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** A contact's history in short. */
final class ChatConversation extends Record
{
    public function __construct(
        public readonly ContactName $contact,
        public readonly bool $connected,
        public readonly int $unread,
        public readonly ?ChatLine $last,
    ) {
    }
}
