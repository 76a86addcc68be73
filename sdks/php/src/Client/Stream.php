<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Bytes;
use P4\Client\Data\ContactName;
use P4\P4Exception;
use P4\Transport\Loop;
use P4\Transport\TimedOut;

/**
 * A byte stream with a contact, which outlives links, restarts and this program (spec/daemon-api, "Streams").
 *
 * If the daemon restarts, reading and writing throw `connection-lost`: {@see Stream::reopen()} gives the same stream; go
 * on at its `written()` and `position()`. What was read and not {@see Stream::consumed()} comes again.
 *
 * A program that waits for nothing in this package for more than 20 s has its stream taken away, too: open it again.
 *
 * @implements \IteratorAggregate<int, string>
 */
final class Stream implements \IteratorAggregate
{
    /** Bytes in one WebSocket message: few messages, and none is long in the way of another. */
    private const PIECE = 256 * 1024;

    /** Names it for ever. */
    public readonly string $id;
    public readonly ContactName $contact;
    public readonly string $service;
    public readonly string $name;

    private int $written;
    private int $stored;
    private int $confirmed;
    private int $position;
    private int $consumed;
    private bool $writingEnded;
    /** @var list<string> */
    private array $pieces = [];
    private bool $ended = false;
    private bool $knowsEnd = false;
    private bool $done = false;
    private int $flushes = 0;
    private int $flushing = 0;

    /** @param \Closure(string, string): self $again by its id and that of the contact */
    private function __construct(private readonly Inbox $inbox, Told $opened, private readonly \Closure $again)
    {
        $this->id = $opened->text('id');
        $this->contact = ContactName::read($opened->fields['contact'] ?? null);
        $this->service = $opened->text('service');
        $this->name = $opened->text('name');
        $this->written = $this->stored = $opened->number('written') ?? 0;
        $this->confirmed = $opened->number('confirmed') ?? 0;
        $this->position = $this->consumed = $opened->number('position') ?? 0;
        $this->writingEnded = ($opened->fields['writing_ended'] ?? false) === true;
        $inbox->start();
    }

    public function __destruct()
    {
        $this->detach();
    }

    /** Bytes of ours that this stream has accepted, in this and earlier runs: write on from here. */
    public function written(): int
    {
        return $this->written;
    }

    /** Bytes of ours that are with the daemon, and survive the end of this program. */
    public function stored(): int
    {
        $this->take();
        return $this->stored;
    }

    /** Bytes of ours that the contact's application has consumed. */
    public function confirmed(): int
    {
        $this->take();
        return $this->confirmed;
    }

    /** Offset of the next byte that is read. */
    public function position(): int
    {
        return $this->position;
    }

    /** Whether we write no more. */
    public function writingEnded(): bool
    {
        return $this->writingEnded;
    }

    /**
     * What there is, at least one byte; null at the end. It does not count as consumed: see {@see Stream::consumed()},
     * and at most 4 MiB come without it.
     *
     * @param int $most bytes
     * @throws P4Exception type `StreamError`: the stream was ended before its end; `connection-lost`; `timeout`
     */
    public function read(int $most = self::PIECE, ?float $timeoutSeconds = null): ?string
    {
        $isThere = fn (): bool => $this->pieces !== [] || $this->ended;
        $this->expect($isThere, 'Nothing was sent', Loop::after($timeoutSeconds));
        $piece = array_shift($this->pieces);
        if ($piece !== null && strlen($piece) > $most) {
            array_unshift($this->pieces, substr($piece, $most));
            $piece = substr($piece, 0, $most);
        }
        $this->position += strlen($piece ?? '');
        return $piece;
    }

    /**
     * Pieces, to the end. Each counts as consumed when the next one is asked for.
     *
     * @return \Generator<int, string>
     */
    public function getIterator(): \Generator
    {
        while (($piece = $this->read()) !== null) {
            yield $piece;
            $this->consumed();
        }
        if (!$this->knowsEnd && !$this->done) {
            $this->consumed();
        }
    }

    /**
     * Write all of it, to its end, into a file or another stream of PHP; then it is consumed.
     *
     * @param resource $target
     * @throws P4Exception as {@see Stream::read()}; `not-written`: the target takes no more
     */
    public function copyTo(mixed $target): void
    {
        foreach ($this as $piece) {
            for ($sent = 0; $sent < strlen($piece); $sent += $count) {
                $count = fwrite($target, substr($piece, $sent));
                if ($count === false || $count === 0) {
                    throw new P4Exception('not-written', 'The target takes no more. What was not written comes again.');
                }
            }
        }
    }

    /**
     * You have done with everything before this offset; null for all that was read.
     *
     * @param bool $knowsEnd whether that holds for the contact's end as well, if it has come. As long as it does not,
     *     opening the stream again gives this one.
     */
    public function consumed(?int $offset = null, bool $knowsEnd = true): void
    {
        $this->take();
        $this->consumed = $offset ?? $this->position;
        $this->knowsEnd = $knowsEnd && $this->ended;
        $entry = ['type' => 'consumed', 'offset' => $this->consumed];
        $this->say($knowsEnd ? $entry : $entry + ['knows_end' => false]);
    }

    /**
     * Send bytes; waits while the daemon, and behind it the contact, is too far behind.
     *
     * @throws P4Exception type `StreamError`: the stream has ended; `connection-lost`
     */
    public function write(string $data): void
    {
        foreach ($data === '' ? [] : str_split($data, self::PIECE) as $piece) {
            $this->refuseEnded();
            try {
                $this->inbox->send(new Bytes($piece));
            } catch (P4Exception $error) {
                throw $this->inbox->error ?? self::lost($error);
            }
            $this->written += strlen($piece);
        }
    }

    /**
     * Send what a file or another stream of PHP has from here to its end. Does not end writing.
     *
     * @param resource $source
     * @throws P4Exception as {@see Stream::write()}; `not-read`: the source gives no more
     */
    public function copyFrom(mixed $source): void
    {
        while (!feof($source)) {
            $piece = fread($source, self::PIECE);
            if ($piece === false) {
                throw new P4Exception('not-read', 'The source cannot be read. What was sent before arrives.');
            }
            $this->write($piece);
        }
    }

    /** Wait until everything written is safe from a power failure. */
    public function flush(?float $timeoutSeconds = null): void
    {
        $this->refuseEnded();
        $wanted = ++$this->flushing;
        $this->say(['type' => 'flush']);
        $this->expect(fn (): bool => $this->flushes >= $wanted, 'It was not flushed', Loop::after($timeoutSeconds));
    }

    /** Write no more; what was written still arrives, and the contact can still answer. */
    public function closeWriting(): void
    {
        $this->writingEnded = true;
        $this->say(['type' => 'end']);
    }

    /** Leave the stream well: nothing more is read or written. What was written still arrives. */
    public function close(): void
    {
        $this->take();
        if (!$this->done) {
            $this->say(['type' => 'close']);
        }
        $this->expect(fn (): bool => $this->done, 'It was not closed', null);
        $this->detach();
    }

    /** End both directions at once; the other side gets an error with the reason. */
    public function reset(string $reason = ''): void
    {
        $this->say(['type' => 'reset', 'reason' => $reason]);
        $this->expect(fn (): bool => $this->done, 'It was not reset', null);
        $this->detach();
    }

    /**
     * Wait until the contact's application has consumed our bytes below an offset; null for all. Throws as
     * {@see Stream::read()}.
     */
    public function waitConfirmed(?int $through = null, ?float $timeoutSeconds = null): void
    {
        $through ??= $this->written;
        $isSo = fn (): bool => $this->confirmed >= $through || $this->done;
        $this->expect($isSo, 'It was not consumed', Loop::after($timeoutSeconds));
    }

    /** Wait until both directions have ended and are consumed. Throws as {@see Stream::read()}. */
    public function waitDone(?float $timeoutSeconds = null): void
    {
        $until = Loop::after($timeoutSeconds);
        $this->expect(fn (): bool => $this->ended || $this->done, 'The contact did not end it', $until);
        $all = $this->pieces === [] && $this->consumed === $this->position;
        if (!$this->knowsEnd && !$this->done && $all) {
            $this->consumed(); // the last word was said before the end came
        }
        $this->expect(fn (): bool => $this->done, 'It was not done', $until);
    }

    /** Let go of the stream without ending it; anybody can open it again. */
    public function detach(): void
    {
        $this->inbox->close();
    }

    /**
     * The same stream again, after `connection-lost`: at its `written()` and `position()`.
     *
     * @throws P4Exception `over`: it has ended well by now, and there is nothing more to do
     */
    public function reopen(): self
    {
        $this->detach();
        return ($this->again)($this->id, $this->contact->id);
    }

    /**
     * A stream to a service of a contact.
     *
     * @param string|null $id of the one that is meant; throws `over` if it is no more
     * @internal
     */
    public static function open(
        Connection $connection,
        string $contact,
        string $service,
        string $name,
        ?string $id = null,
    ): self {
        $again = static fn (string $id): self => self::open($connection, $contact, $service, $name, $id);
        $path = '/v1/contacts/' . Json::quoted($contact) . '/streams/' . Json::quoted($service);
        return self::attached($connection, $path, ['name' => $name, 'id' => $id], $again, null);
    }

    /**
     * The next stream that a contact opens to a service, or opened before a restart.
     *
     * @internal
     */
    public static function accept(
        Connection $connection,
        string $service,
        ?string $contact,
        ?string $id,
        ?float $until,
    ): self {
        $again = static fn (string $id, string $contact): self
            => self::accept($connection, $service, $contact, $id, null);
        $parameters = ['contact' => $contact, 'id' => $id];
        return self::attached($connection, '/v1/streams/' . Json::quoted($service), $parameters, $again, $until);
    }

    /** @param array<string, ?string> $parameters */
    private static function attached(
        Connection $connection,
        string $path,
        array $parameters,
        \Closure $again,
        ?float $until,
    ): self {
        $socket = null;
        try {
            $socket = $connection->socket($path, $parameters, $until);
            while (($found = $socket->next($until)) !== null) {
                if ($found instanceof Told && $found->type() === 'open') {
                    return new self(new Inbox($socket), $found, $again);
                }
            }
            $connection->refuseClosed();
            throw self::lost();
        } catch (\Throwable $error) {
            $socket?->close();
            throw $error instanceof TimedOut ? Connection::timeout('No stream was opened', $error) : $error;
        }
    }

    /** Take what has arrived. */
    private function take(): void
    {
        foreach ($this->inbox->arrived as $found) {
            if ($found instanceof Bytes) {
                $this->pieces[] = $found->data;
                continue;
            }
            $this->stored = $found->number('written') ?? $this->stored;
            $this->confirmed = $found->number('confirmed') ?? $this->confirmed;
            $this->flushes += (int) ($found->type() === 'flushed');
            $this->ended = $this->ended || in_array($found->type(), ['end', 'done'], true);
            $this->done = $this->done || $found->type() === 'done';
        }
        $this->inbox->arrived = [];
    }

    private function expect(\Closure $isSo, string $otherwise, ?float $until): void
    {
        $come = function () use ($isSo): bool {
            $this->take();
            return $isSo() || $this->inbox->ended;
        };
        if (!$this->inbox->condition->wait($come, $until)) {
            throw Connection::timeout($otherwise);
        }
        if (!$isSo()) {
            throw $this->inbox->error ?? self::lost();
        }
    }

    /** @param array<string, mixed> $entry */
    private function say(array $entry): void
    {
        try {
            $this->inbox->send($entry);
        } catch (P4Exception $error) {
            $this->take();
            if (!$this->done) {
                throw $this->inbox->error ?? self::lost($error);
            }
        }
    }

    private function refuseEnded(): void
    {
        $this->take();
        if ($this->inbox->error !== null) {
            throw $this->inbox->error;
        }
        if ($this->writingEnded || $this->done) {
            throw new P4Exception('ended', 'Writing to this stream has ended. Nothing was sent.', 'StreamError');
        }
    }

    private static function lost(?\Throwable $previous = null): P4Exception
    {
        $message = 'The daemon has ended. The stream goes on after its restart: open it again, and write on at written().';
        return new P4Exception('connection-lost', $message, previous: $previous);
    }
}
