<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Bytes;
use P4\P4Exception;
use P4\Transport\Condition;
use P4\Transport\Loop;

/**
 * Takes in what a WebSocket says while anybody waits for anything, so that its pings are answered and its end is
 * noticed. Whoever reads it closes it.
 *
 * @internal
 */
final class Inbox
{
    /** @var list<Bytes|Told> */
    public array $arrived = [];
    public bool $ended = false;
    /** Why it ended, if the daemon said so. */
    public ?P4Exception $error = null;
    public readonly Condition $condition;

    /** @param int|null $most that wait for their reader; beyond, the oldest are lost */
    public function __construct(private readonly JsonSocket $socket, private readonly ?int $most = null)
    {
        $this->condition = new Condition();
    }

    /** Begin to take in. */
    public function start(): void
    {
        Loop::start(function (): void {
            try {
                while (($found = $this->socket->next()) !== null) {
                    $this->arrived[] = $found;
                    if ($this->most !== null && count($this->arrived) > $this->most) {
                        array_shift($this->arrived);
                    }
                    $this->condition->changed();
                }
            } catch (P4Exception $error) {
                $this->error = $error;
            } finally {
                $this->ended = true;
                $this->socket->close();
                $this->condition->changed();
            }
        });
    }

    /** Send something. @param Bytes|array<string, mixed> $data */
    public function send(Bytes|array $data): void
    {
        $this->socket->send($data);
    }

    /** Close the WebSocket. */
    public function close(): void
    {
        $this->socket->close();
    }
}
