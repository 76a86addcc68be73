<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * A byte stream to the daemon that waits as {@see Loop} does.
 *
 * @internal
 */
final class Socket
{
    private const CONNECT_SECONDS = 10.0;
    private const PIECE = 256 * 1024;

    /** @var resource|null */
    private mixed $stream;
    /** Since when nothing was sent or read. */
    public float $idleSince;

    /** @param resource $stream */
    private function __construct(mixed $stream)
    {
        $this->stream = $stream;
        $this->idleSince = Loop::now();
    }

    /** @throws NotSent nobody listens there */
    public static function connect(string $address): self
    {
        $context = stream_context_create(['socket' => ['tcp_nodelay' => true]]);
        $flags = STREAM_CLIENT_CONNECT;
        $stream = @stream_socket_client($address, $number, $reason, self::CONNECT_SECONDS, $flags, $context);
        if ($stream === false) {
            throw new NotSent("There is no connection: $reason.");
        }
        return self::over($stream);
    }

    /**
     * Over a stream that is there.
     *
     * @param resource $stream
     */
    public static function over(mixed $stream): self
    {
        stream_set_blocking($stream, false);
        stream_set_read_buffer($stream, 0);
        stream_set_chunk_size($stream, self::PIECE);
        return new self($stream);
    }

    /**
     * Send everything.
     *
     * @throws ConnectionBroken the connection has ended
     * @throws TimedOut
     */
    public function write(string $data, ?float $until = null): void
    {
        for ($sent = 0, $length = strlen($data); $sent < $length; $sent += $written) {
            $written = $this->stream === null ? false : @fwrite($this->stream, substr($data, $sent, self::PIECE));
            if ($written === false) {
                throw new ConnectionBroken('The connection has ended.');
            }
            if ($written === 0 && !Loop::wait($this->stream, true, $until)) {
                throw new TimedOut('The daemon takes nothing.');
            }
        }
        $this->idleSince = Loop::now();
    }

    /** Send a last word, if it can be sent without waiting. */
    public function say(string $data): void
    {
        if ($this->stream !== null) {
            @fwrite($this->stream, $data);
        }
    }

    /**
     * What there is, at least one byte; empty at the end.
     *
     * @throws TimedOut
     */
    public function read(?float $until = null): string
    {
        for (;;) {
            if ($this->stream === null) {
                return '';
            }
            $data = @fread($this->stream, self::PIECE);
            if (is_string($data) && $data !== '') {
                $this->idleSince = Loop::now();
                return $data;
            }
            if ($data === false || feof($this->stream)) {
                return '';
            }
            if (!Loop::wait($this->stream, false, $until)) {
                throw new TimedOut('The daemon says nothing.');
            }
        }
    }

    /** Whether the other side neither closed it nor said something while nobody asked. */
    public function isQuiet(): bool
    {
        return $this->stream !== null && @fread($this->stream, 1) === '' && !feof($this->stream);
    }

    public function close(): void
    {
        if ($this->stream !== null) {
            $stream = $this->stream;
            $this->stream = null;
            Loop::close($stream);
        }
    }

    public function isClosed(): bool
    {
        return $this->stream === null;
    }
}
