<?php

declare(strict_types=1);

namespace P4\Client;

use P4\P4Exception;
use P4\Transport\Loop;
use P4\Transport\TimedOut;

/**
 * What happens in the daemon, also after its restarts: for `foreach`, or {@see Events::next()}. Made by
 * {@see \P4\Client::events()}.
 *
 * @implements \IteratorAggregate<int, Event>
 */
final class Events implements \IteratorAggregate
{
    /** Event of ours: from here on events come, and some may have been missed before. Look at how things are. */
    public const OPENED = 'feed.opened';

    private readonly EventFeed $feed;

    /**
     * @param list<string> $kinds
     * @internal
     */
    public function __construct(Connection $connection, private readonly array $kinds)
    {
        $subjects = array_unique(array_map(static fn (string $kind): string => explode('.', $kind)[0], $kinds));
        sort($subjects);
        $parameters = ['types' => $subjects === [] ? null : implode(',', $subjects)];
        $opened = in_array(self::OPENED, $kinds, true) ? self::OPENED : null;
        $this->feed = new EventFeed($connection, '/v1/events', $parameters, $opened);
    }

    /**
     * The next event; waits for it.
     *
     * @param float|null $timeoutSeconds null for ever
     * @return Event|null null if none came in this time
     * @throws P4Exception
     */
    public function next(?float $timeoutSeconds = null): ?Event
    {
        return $this->nextUntil(Loop::after($timeoutSeconds));
    }

    /** @internal */
    public function nextUntil(?float $until): ?Event
    {
        try {
            while (($event = $this->feed->next($until)) !== null) {
                [$kind, $data] = $event;
                if ($this->kinds === [] || in_array($kind, $this->kinds, true) || $kind === 'feed.missed') {
                    return new Event($kind, (array) Json::read($data));
                }
            }
        } catch (TimedOut) {
            // None came.
        }
        return null;
    }

    /**
     * All events, for ever; leaving the loop closes.
     *
     * @return \Generator<int, Event>
     */
    public function getIterator(): \Generator
    {
        try {
            while (($event = $this->next()) !== null) {
                yield $event;
            }
        } finally {
            $this->close();
        }
    }

    /** Hear no more. */
    public function close(): void
    {
        $this->feed->close();
    }
}
