<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Client;
use P4\Client\Data\ChatConversation;
use P4\Client\Data\ChatLine;
use P4\Client\Data\ChatPage;
use P4\P4Exception;

/** The chat of this device, {@see Client::$chat}: the history that `p4 chat` and the web page show, too. */
final class Chat
{
    /** @internal */
    public function __construct(private readonly Client $client)
    {
    }

    /**
     * Every contact's history in short, in the order of the contacts.
     *
     * @return list<ChatConversation>
     * @throws P4Exception
     */
    public function conversations(): array
    {
        return ChatConversation::readAll($this->client->ask('GET', '/v1/chat')['conversations'] ?? null);
    }

    /**
     * A part of a history.
     *
     * @param string $contact name, id, or unique beginning of an id
     * @param string|null $before only what stands before this entry, by its id
     * @param int $limit most entries
     * @throws P4Exception
     */
    public function page(string $contact, ?string $before = null, int $limit = 50): ChatPage
    {
        $parameters = ['before' => $before, 'limit' => $limit];
        return ChatPage::read($this->client->request('GET', self::path($contact), parameters: $parameters));
    }

    /**
     * Say something; on disk when this returns.
     *
     * @throws P4Exception
     */
    public function say(string $contact, string $text): ChatLine
    {
        return ChatLine::read($this->client->request('POST', self::path($contact), ['text' => $text]));
    }

    /**
     * A person was shown everything up to this entry; the contact is told.
     *
     * @throws P4Exception
     */
    public function markRead(string $contact, string $through): void
    {
        $this->client->request('POST', self::path($contact) . '/read', ['through' => $through], repeatable: true);
    }

    /**
     * A person is writing to the contact.
     *
     * @throws P4Exception
     */
    public function typing(string $contact): void
    {
        $this->client->request('POST', self::path($contact) . '/typing');
    }

    /**
     * Forget the history, here only.
     *
     * @throws P4Exception
     */
    public function clear(string $contact): void
    {
        $this->client->request('DELETE', self::path($contact));
    }

    private static function path(string $contact): string
    {
        return '/v1/chat/' . Json::quoted($contact);
    }
}
