<?php

declare(strict_types=1);

namespace P4\Client;

use P4\P4Exception;
use P4\Transport\Loop;
use P4\Transport\TimedOut;

/**
 * The messages of a service, each once: for `foreach`, or {@see Messages::next()}. Made by {@see \P4\Client::messages()}.
 *
 * A message that is done does not come again, whatever restarts: if the daemon ended before it had noted that, it is told
 * once more. One that was not done comes again to the next reader, as soon as this one is left or closed.
 *
 * @implements \IteratorAggregate<int, Message>
 */
final class Messages implements \IteratorAggregate
{
    private const TOGETHER = 64;
    /** Messages that one request says are done. */
    private const ACKNOWLEDGED = 256;
    /** Messages that are remembered to be done although the daemon did not know them: four windows after restarts. */
    private const UNKNOWN = 4 * 256;
    /** How long it is waited for messages to come again after a restart, so that they can be told once more. */
    private const SETTLING_SECONDS = 2.0;

    private readonly string $path;
    private EventFeed $feed;
    /** @var array<string, true> given to the application, and not yet known to be done by the daemon */
    private array $handedOut = [];
    /** @var array<string, Message> done by the application, and not yet known to be so by the daemon */
    private array $done = [];
    /**
     * Done by the application, and not known to the daemon when it was told: it had either noted that before, or has
     * restarted and not handed them out again yet.
     *
     * @var array<string, true>
     */
    private array $unknown = [];
    /**
     * Came again while the daemon was told that they are done: it may have been told before that, and then has noted
     * nothing.
     *
     * @var array<string, true>
     */
    private array $again = [];
    /** @var array<string, int> of which the daemon is being told, by how many tasks */
    private array $telling = [];
    /** @var array<string, Message> */
    private array $soon = [];
    /** @var list<Message> that came while it was waited for others */
    private array $early = [];
    private bool $reading = false;

    /** @internal */
    public function __construct(
        private readonly Connection $connection,
        private readonly string $service,
        private readonly ?string $contact,
        private readonly int $window,
    ) {
        $this->path = '/v1/messages/' . Json::quoted($service);
        $this->feed = $this->newFeed();
    }

    /**
     * The next message; waits for it.
     *
     * @param float|null $timeoutSeconds null for ever; 0 for what is there
     * @return Message|null null if none came in this time
     * @throws P4Exception `in-use` for services that the daemon's own apps read, such as `chat`; `no-daemon`
     */
    public function next(?float $timeoutSeconds = null): ?Message
    {
        $until = Loop::after($timeoutSeconds);
        try {
            if ($this->early === [] && !$this->feed->hasNext()) {
                $this->flush();
            }
            return array_shift($this->early) ?? $this->read($until);
        } catch (TimedOut) {
            return null;
        }
    }

    /**
     * All messages, for ever; leaving the loop closes.
     *
     * @return \Generator<int, Message>
     */
    public function getIterator(): \Generator
    {
        try {
            while (($message = $this->next()) !== null) {
                yield $message;
            }
        } finally {
            $this->close();
        }
    }

    /** Tell the daemon of what is {@see Message::doneSoon()}. Throws as {@see Message::done()}. */
    public function flush(): void
    {
        while ($this->soon !== []) {
            $messages = array_splice($this->soon, 0, self::ACKNOWLEDGED);
            $this->acknowledge(array_values($messages));
        }
    }

    /**
     * Read no more: others get what is not done. Reading again begins anew.
     *
     * @throws P4Exception what was done soon could not be noted: it comes again
     */
    public function close(): void
    {
        try {
            $this->flush();
        } catch (\FiberError) {
            // The task ends by force and may not wait; what is not noted comes again.
        } finally {
            $this->feed->close();
            $this->feed = $this->newFeed();
            $this->handedOut = $this->early = [];
        }
    }

    /**
     * Tell the daemon that messages are done.
     *
     * @param list<Message> $messages at most 256
     * @internal
     */
    public function acknowledge(array $messages): void
    {
        $open = [];
        foreach ($messages as $message) {
            $name = $message->name();
            unset($this->soon[$name]);
            // Otherwise the daemon knows already.
            if (isset($this->handedOut[$name]) || isset($this->done[$name])) {
                $open[$name] = $this->done[$name] = $message;
            }
        }
        $unknown = [];
        while ($open !== []) {
            $answer = $this->tell($open);
            foreach ($answer['unknown'] ?? [] as $entry) {
                $name = "$entry[contact] $entry[id]";
                if (!isset($this->again[$name])) {
                    $this->unknown[$name] = $unknown[$name] = true;
                }
            }
            $this->unknown = array_slice($this->unknown, -self::UNKNOWN, null, true);
            foreach ($open as $name => $_) {
                if (!isset($this->again[$name])) { // otherwise it is told once more
                    unset($this->done[$name], $this->handedOut[$name], $open[$name]);
                }
            }
        }
        $this->settle($unknown);
    }

    /** @internal */
    public function acknowledgeSoon(Message $message): void
    {
        $this->soon[$message->name()] = $message;
        if (count($this->soon) >= self::TOGETHER) {
            $this->flush();
        }
    }

    /**
     * @param array<string, Message> $messages
     * @return array<string, mixed>
     */
    private function tell(array $messages): array
    {
        $entries = [];
        foreach ($messages as $name => $message) {
            unset($this->again[$name]); // it is told from now on
            $this->telling[$name] = ($this->telling[$name] ?? 0) + 1;
            $entries[] = ['contact' => $message->contact->id, 'id' => $message->id];
        }
        try {
            $body = Json::write(['messages' => $entries]);
            [, $text] = $this->connection->request('POST', "$this->path/done", body: $body, repeatable: true);
            return (array) Json::read($text);
        } catch (P4Exception $error) {
            // They stay among those that are done: if one comes again, the daemon is told again.
            $message = 'That the message is done could not be noted: it comes again to the next subscription. '
                . $error->getMessage();
            throw new P4Exception($error->code(), $message, $error->type(), $error->data(), $error->status(), $error);
        } finally {
            foreach ($messages as $name => $_) {
                $this->telling[$name]--;
                if ($this->telling[$name] === 0) {
                    unset($this->telling[$name]);
                }
            }
        }
    }

    /**
     * The next message of the feed that the application does not have; null once it is closed.
     *
     * @throws TimedOut
     */
    private function read(?float $until): ?Message
    {
        $this->reading = true;
        try {
            do {
                $event = $this->feed->next($until);
                $message = ($event[0] ?? '') === 'message' ? $this->received(new Told($event[1])) : null;
            } while ($event !== null && $message === null);
            return $message;
        } finally {
            $this->reading = false;
        }
    }

    /**
     * Read on until the daemon knows what it did not know. Either it had noted that before its last answer was lost; or it
     * has restarted, and knows these only when they have come again, which is when they are told once more. Whoever
     * reads at the moment does the same.
     *
     * @param array<string, true> $names
     */
    private function settle(array $names): void
    {
        $until = Loop::now() + self::SETTLING_SECONDS;
        while (!$this->reading && array_intersect_key($names, $this->unknown) !== []) {
            try {
                $message = $this->read($until);
            } catch (TimedOut | P4Exception) {
                return;
            }
            if ($message === null) {
                return;
            }
            $this->early[] = $message;
            // Those of one contact come in their order: what comes after them says that they do not come.
            $contact = $message->contact->id;
            foreach (array_keys($names) as $name) {
                if (str_starts_with($name, "$contact ")) {
                    unset($names[$name]);
                }
            }
        }
    }

    /** The message, unless the application has dealt with it. */
    private function received(Told $told): ?Message
    {
        $message = new Message($this, $told);
        $name = $message->name();
        $wasDone = isset($this->unknown[$name]) || isset($this->done[$name]);
        if (!$wasDone) {
            if (isset($this->handedOut[$name])) {
                return null; // the application has it, and will say when it is done
            }
            $this->handedOut[$name] = true;
            return $message;
        }
        // The daemon restarted before it had noted it.
        unset($this->unknown[$name]);
        $this->again[$name] = true;
        if (!isset($this->telling[$name])) {
            $this->done[$name] = $message;
            try {
                $this->acknowledge([$message]);
            } catch (P4Exception) {
                // It comes once more, and is told then.
            }
        }
        return null;
    }

    private function newFeed(): EventFeed
    {
        $parameters = ['contact' => $this->contact, 'window' => $this->window];
        return new EventFeed($this->connection, $this->path, $parameters);
    }
}
