<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Bytes;
use P4\P4Exception;
use P4\Transport\ConnectionBroken;
use P4\Transport\Frame;
use P4\Transport\TimedOut;
use P4\Transport\WebSocket;

/** A WebSocket of the daemon: JSON objects and bytes. {@see \P4\Client::socket()} opens one. */
final class JsonSocket
{
    /** @internal */
    public function __construct(private readonly WebSocket $socket)
    {
    }

    /**
     * Send an object as JSON, or bytes; waits while too much is under way.
     *
     * @param Bytes|array<string, mixed> $data
     * @throws P4Exception `connection-lost`, `not-json`
     */
    public function send(Bytes|array $data): void
    {
        try {
            $binary = $data instanceof Bytes;
            $this->socket->send($binary ? $data->data : Json::write($data), $binary);
        } catch (ConnectionBroken $error) {
            throw Connection::lost($error);
        }
    }

    /**
     * What arrives; null when the WebSocket has ended.
     *
     * @param float|null $until by the clock of the loop
     * @throws P4Exception what an `error` message says
     * @throws TimedOut nothing is lost by it
     * @internal
     */
    public function next(?float $until = null): Bytes|Told|null
    {
        $message = $this->socket->receive($until);
        if ($message === null) {
            return null;
        }
        if ($message->opcode === Frame::BINARY) {
            return new Bytes($message->payload);
        }
        $told = new Told($message->payload);
        if ($told->type() === 'error') {
            throw P4Exception::fromEntry($told->fields['error'] ?? null, 400);
        }
        return $told;
    }

    /**
     * What arrives, bytes or an object of the daemon; null when the WebSocket has ended.
     *
     * @return Bytes|array<string, mixed>|null
     * @throws P4Exception what an `error` message says; `timeout`
     */
    public function receive(?float $timeoutSeconds = null): Bytes|array|null
    {
        try {
            $found = $this->next(\P4\Transport\Loop::after($timeoutSeconds));
        } catch (TimedOut $late) {
            throw Connection::timeout('Nothing came', $late);
        }
        return $found instanceof Told ? $found->fields : $found;
    }

    /** Close it. */
    public function close(): void
    {
        $this->socket->close();
    }
}
