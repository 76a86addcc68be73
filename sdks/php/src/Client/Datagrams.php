<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Client\Data\ContactName;
use P4\P4Exception;
use P4\Transport\Loop;

/**
 * Datagrams of a service, from and to all contacts: now, or not at all. For `foreach`, or {@see Datagrams::next()};
 * made by {@see \P4\Client::datagrams()}. They end with the daemon: `connection-lost`, open them again.
 *
 * @implements \IteratorAggregate<int, Datagram>
 */
final class Datagrams implements \IteratorAggregate
{
    /** Datagrams that wait for their reader; beyond, the oldest are lost. */
    private const WAITING = 256;

    private readonly Inbox $inbox;
    private bool $closed = false;

    /** @internal */
    public function __construct(Connection $connection, string $service)
    {
        $socket = $connection->socket('/v1/datagrams/' . Json::quoted($service));
        $this->inbox = new Inbox($socket, self::WAITING);
        // Read also while the application only sends: that is how a refusal, and the end, is noticed.
        $this->inbox->start();
    }

    public function __destruct()
    {
        $this->close();
    }

    /**
     * Send one, at most 1100 bytes; it may be lost.
     *
     * @param string $contact name or id
     * @throws P4Exception an earlier one was refused, such as `not-granted`: this one was not sent; `connection-lost`
     */
    public function send(string $contact, string $data): void
    {
        if ($this->inbox->ended) {
            throw $this->reason();
        }
        try {
            $this->inbox->send(['contact' => $contact, 'base64' => base64_encode($data)]);
        } catch (P4Exception) {
            $this->inbox->condition->wait(fn (): bool => $this->inbox->ended);
            throw $this->reason();
        }
    }

    /**
     * The next one; waits for it.
     *
     * @param float|null $timeoutSeconds null for ever
     * @return Datagram|null null if none came in this time, or after {@see Datagrams::close()}
     * @throws P4Exception as {@see Datagrams::send()}
     */
    public function next(?float $timeoutSeconds = null): ?Datagram
    {
        $until = Loop::after($timeoutSeconds);
        $isThere = fn (): bool => $this->inbox->arrived !== [] || $this->inbox->ended;
        while ($this->inbox->condition->wait($isThere, $until)) {
            $found = array_shift($this->inbox->arrived);
            if ($found === null) {
                return $this->closed ? null : throw $this->reason();
            }
            $data = $found instanceof Told ? base64_decode($found->text('base64'), true) : false;
            if ($found instanceof Told && $data !== false) {
                return new Datagram(ContactName::read($found->fields['contact'] ?? null), $data);
            }
        }
        return null;
    }

    /**
     * All that arrive; leaving the loop does not close.
     *
     * @return \Generator<int, Datagram>
     */
    public function getIterator(): \Generator
    {
        while (($datagram = $this->next()) !== null) {
            yield $datagram;
        }
    }

    /** Read and send no more. */
    public function close(): void
    {
        $this->closed = true;
        $this->inbox->close();
    }

    private function reason(): P4Exception
    {
        $message = 'The daemon has ended. Open the datagrams again.';
        return $this->inbox->error ?? new P4Exception($this->closed ? 'closed' : 'connection-lost', $message);
    }
}
