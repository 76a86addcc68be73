<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * One request and its answer on a connection: HTTP/1.1 (RFC 9112), as far as the daemon speaks it.
 *
 * Not by curl, which sends a request again by itself, also a POST, when a connection that was kept ends without an
 * answer: then the daemon may have done it before it ended.
 *
 * @internal
 */
final class HttpExchange
{
    private const HEAD_BYTES = 64 * 1024;

    public int $status = 0;
    /** @var array<string, string> by name in lower case */
    public array $headers = [];
    private string $buffer = '';
    /** Bytes of the body, or of its chunk, that are to come; null for all until the connection ends. */
    private ?int $remaining = null;
    private bool $chunked = false;
    private bool $ended = false;

    public function __construct(private readonly Socket $socket)
    {
    }

    /**
     * Send the request and read the head of its answer.
     *
     * @param array<string, string> $headers
     * @throws ConnectionBroken
     * @throws TimedOut
     */
    public function begin(string $method, string $path, array $headers, string $body, ?float $until): void
    {
        if ($body !== '' || !in_array($method, ['GET', 'HEAD', 'DELETE'], true)) {
            $headers['Content-Length'] = (string) strlen($body);
        }
        $head = "$method $path HTTP/1.1\r\n";
        foreach ($headers as $name => $value) {
            $head .= "$name: $value\r\n";
        }
        $broken = null;
        try {
            $this->socket->write("$head\r\n$body", $until);
        } catch (ConnectionBroken $broken) {
            // It may have been refused before all of it was there, and the reason stand in the answer.
        }
        do {
            $this->readHead($until, $broken);
        } while ($this->status >= 100 && $this->status < 200 && $this->status !== 101);
        $length = $this->headers['content-length'] ?? null;
        if ($method === 'HEAD' || in_array($this->status, [101, 204, 304], true)) {
            $this->ended = true;
        } elseif (isset($this->headers['transfer-encoding'])) {
            $this->chunked = true;
            $this->remaining = 0;
        } elseif ($length !== null) {
            $this->remaining = ctype_digit($length) ? (int) $length : throw $this->malformed();
            $this->ended = $this->remaining === 0;
        }
    }

    /**
     * The next piece of the body; empty at its end.
     *
     * @throws ConnectionBroken it was cut off
     * @throws TimedOut nothing is lost by it
     */
    public function piece(?float $until = null): string
    {
        if ($this->ended) {
            return '';
        }
        if ($this->chunked && $this->remaining === 0 && !$this->nextChunk($until)) {
            return '';
        }
        if ($this->buffer === '') {
            $this->buffer = $this->socket->read($until);
            if ($this->buffer === '') {
                if ($this->remaining !== null) {
                    throw new ConnectionBroken('The answer was cut off.');
                }
                $this->ended = true;
                return '';
            }
        }
        $piece = $this->remaining === null ? $this->buffer : substr($this->buffer, 0, $this->remaining);
        $this->buffer = substr($this->buffer, strlen($piece));
        if ($this->remaining !== null) {
            $this->remaining -= strlen($piece);
            if ($this->chunked && $this->remaining === 0) {
                $this->expect("\r\n", $until);
            } elseif ($this->remaining === 0) {
                $this->ended = true;
            }
        }
        return $piece;
    }

    /**
     * All of the body.
     *
     * @throws ConnectionBroken
     * @throws TimedOut
     */
    public function body(?float $until): string
    {
        $pieces = [];
        while (($piece = $this->piece($until)) !== '') {
            $pieces[] = $piece;
        }
        return implode('', $pieces);
    }

    /** Whether another request may follow on the same connection. */
    public function isReusable(): bool
    {
        return $this->ended && $this->buffer === '' && ($this->remaining !== null || $this->status === 204)
            && strtolower($this->headers['connection'] ?? '') !== 'close';
    }

    /** What came after the head, of a connection that is another protocol's now. */
    public function takeRest(): string
    {
        [$rest, $this->buffer] = [$this->buffer, ''];
        return $rest;
    }

    private function readHead(?float $until, ?ConnectionBroken $broken): void
    {
        while (($end = strpos($this->buffer, "\r\n\r\n")) === false) {
            $more = $this->socket->read($until);
            if ($more === '' || strlen($this->buffer) > self::HEAD_BYTES) {
                throw $broken ?? new ConnectionBroken('There is no answer.');
            }
            $this->buffer .= $more;
        }
        $lines = explode("\r\n", substr($this->buffer, 0, $end));
        $this->buffer = substr($this->buffer, $end + 4);
        if (preg_match('~^HTTP/1\.1 ([1-9][0-9]{2})(?: |$)~D', $lines[0], $parts) !== 1) {
            throw $this->malformed();
        }
        $this->status = (int) $parts[1];
        $this->headers = [];
        foreach (array_slice($lines, 1) as $line) {
            if (preg_match('/^([!#-\'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/D', $line, $parts) !== 1) {
                throw $this->malformed();
            }
            $this->headers[strtolower($parts[1])] = $parts[2];
        }
    }

    private function nextChunk(?float $until): bool
    {
        while (($end = strpos($this->buffer, "\r\n")) === false) {
            $this->more($until);
        }
        if (preg_match('/^([0-9a-fA-F]{1,8})(?:;|$)/D', substr($this->buffer, 0, $end), $parts) !== 1) {
            throw $this->malformed();
        }
        if (hexdec($parts[1]) > 0) {
            $this->buffer = substr($this->buffer, $end + 2);
            $this->remaining = (int) hexdec($parts[1]);
            return true;
        }
        $this->buffer = substr($this->buffer, $end + 2);
        $this->expect("\r\n", $until); // the daemon sends no trailers
        $this->ended = true;
        return false;
    }

    private function expect(string $text, ?float $until): void
    {
        while (strlen($this->buffer) < strlen($text)) {
            $this->more($until);
        }
        if (!str_starts_with($this->buffer, $text)) {
            throw $this->malformed();
        }
        $this->buffer = substr($this->buffer, strlen($text));
    }

    private function more(?float $until): void
    {
        $more = $this->socket->read($until);
        if ($more === '') {
            throw new ConnectionBroken('The answer was cut off.');
        }
        $this->buffer .= $more;
    }

    private function malformed(): ConnectionBroken
    {
        $this->socket->close();
        return new ConnectionBroken('What answers is no daemon of P4.');
    }
}
