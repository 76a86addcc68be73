<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Bytes;
use P4\Client\Data\ContactName;
use P4\P4Exception;

/** A message of a contact, which is on the daemon's disk until {@see Message::done()}. */
final class Message
{
    public readonly ContactName $contact;
    /** Names it for ever among the messages of this contact. */
    public readonly string $id;
    public readonly string $service;
    /** Of a latest-value message; empty for others. */
    public readonly string $key;
    /** Unix milliseconds by its sender's clock. */
    public readonly int $sentMs;
    /** Unix milliseconds. */
    public readonly int $receivedMs;

    /** @internal */
    public function __construct(private readonly Messages $messages, private readonly Told $told)
    {
        $this->contact = ContactName::read($told->fields['contact'] ?? null);
        $this->id = $told->text('id');
        $this->service = $told->text('service');
        $this->key = $told->text('key');
        $this->sentMs = $told->number('sent_ms') ?? 0;
        $this->receivedMs = $told->number('received_ms') ?? 0;
    }

    /**
     * What was sent: {@see Bytes}, or JSON with its objects as `stdClass`.
     *
     * @throws P4Exception `bad-body`: it was no JSON
     */
    public function value(): mixed
    {
        return Json::valueOf($this->told->text);
    }

    /** As {@see Message::value()}, with objects as arrays: `{}` and `[]` are the same then. */
    public function array(): mixed
    {
        $value = $this->value();
        return $value instanceof Bytes ? $value : $this->told->fields['value'];
    }

    /**
     * The application has dealt with it. When this returns the daemon has that on disk, and it will not come again.
     *
     * @throws P4Exception it could not be noted, such as `no-daemon`: it comes again to the next reader
     */
    public function done(): void
    {
        $this->messages->acknowledge([$this]);
    }

    /**
     * As {@see Message::done()}, together with others: the daemon is told before the reader waits for the next message,
     * when it closes, or after 64. A program that is killed before that gets it again.
     */
    public function doneSoon(): void
    {
        $this->messages->acknowledgeSoon($this);
    }

    /** @internal */
    public function name(): string
    {
        return "{$this->contact->id} $this->id";
    }
}
