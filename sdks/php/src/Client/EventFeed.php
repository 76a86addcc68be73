<?php

declare(strict_types=1);

namespace P4\Client;

use P4\P4Exception;
use P4\Transport\ConnectionBroken;
use P4\Transport\EventParser;
use P4\Transport\HttpExchange;
use P4\Transport\Loop;
use P4\Transport\Socket;
use P4\Transport\TimedOut;

/**
 * Server-sent events of a path, across restarts of the daemon.
 *
 * @internal
 */
final class EventFeed
{
    /** A daemon that lives says something every 20 s. */
    private const SILENCE_SECONDS = 60.0;

    private ?Socket $socket = null;
    private ?HttpExchange $exchange = null;
    private EventParser $parser;
    /** @var list<array{string, string}> */
    private array $events = [];
    private bool $closed = false;

    /**
     * @param array<string, string|int|float|bool|null> $parameters
     * @param string|null $opened an event of this kind stands for each beginning of the stream
     */
    public function __construct(
        private readonly Connection $connection,
        private readonly string $path,
        private readonly array $parameters,
        private readonly ?string $opened = null,
    ) {
    }

    /** Whether {@see EventFeed::next()} would give one without waiting. */
    public function hasNext(): bool
    {
        return $this->events !== [];
    }

    /**
     * The next event; null once it is closed.
     *
     * @return array{string, string}|null event and data
     * @throws P4Exception
     * @throws TimedOut nothing is lost by it
     */
    public function next(?float $until = null): ?array
    {
        while ($this->events === []) {
            if ($this->closed) {
                return null;
            }
            try {
                if ($this->exchange === null) {
                    $this->open($until);
                    continue;
                }
                $limit = Loop::now() + self::SILENCE_SECONDS;
                $piece = $this->exchange->piece($until === null ? $limit : min($until, $limit));
                if ($piece !== '') {
                    $this->events = $this->parser->push($piece);
                    continue;
                }
            } catch (ConnectionBroken) {
                // It is asked again.
            } catch (TimedOut $late) {
                if ($until !== null && Loop::now() >= $until) {
                    throw $late;
                }
            }
            $this->disconnect();
            if (!$this->closed) {
                $this->connection->refuseClosed();
                Loop::sleep(Connection::FIRST_PAUSE);
            }
        }
        return array_shift($this->events);
    }

    /** Read no more; what was read and not given is forgotten. */
    public function close(): void
    {
        $this->closed = true;
        $this->disconnect();
    }

    public function __destruct()
    {
        $this->disconnect();
    }

    private function open(?float $until): void
    {
        [$this->socket, $this->exchange] = $this->connection->follow($this->path, $this->parameters, $until);
        $this->parser = new EventParser();
        if ($this->closed) {
            $this->disconnect();
            return;
        }
        if ($this->opened !== null) {
            $this->events = [[$this->opened, '{}']];
        }
    }

    private function disconnect(): void
    {
        $this->events = [];
        $this->exchange = null;
        $this->socket?->close();
        $this->socket = null;
    }
}
