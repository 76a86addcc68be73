<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Client;
use P4\Client\Data\ChatLine;

/** One thing that was said. It stands in the history: what becomes of it is known after restarts too. */
final class ChatReceipt extends Receipt
{
    /** @internal */
    public function __construct(Client $client, private readonly string $reference, private readonly ChatLine $line)
    {
        parent::__construct($client, $reference, $line->messageId, $line->state);
    }

    protected function wait(string $wanted, ?float $until): void
    {
        $events = $this->client->events([Events::OPENED, 'chat.receipt']);
        try {
            while (!$this->hasCome($wanted)) {
                $event = $events->nextUntil($until) ?? throw Connection::timeout("What was said was not $wanted");
                foreach ($this->linesOf($event) as $line) {
                    if ($line->id === $this->line->id) {
                        $this->state = $line->state;
                        // What is said neither expires nor is it replaced: the contact does not take it.
                        if ($line->state === 'failed') {
                            throw self::dropped('refused', $line->reason);
                        }
                    }
                }
            }
        } finally {
            $events->close();
        }
    }

    /** @return list<ChatLine> */
    private function linesOf(Event $event): array
    {
        if (isset($event->data['entries'])) {
            return ChatLine::readAll($event->data['entries']);
        }
        // It may have come further while nobody told.
        $before = (string) ((int) $this->line->id + 1);
        return $this->client->chat->page($this->reference, before: $before, limit: 1)->entries;
    }
}
