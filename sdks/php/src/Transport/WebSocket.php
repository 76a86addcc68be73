<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * The client's side of a WebSocket (RFC 6455), without extensions.
 *
 * @internal
 */
final class WebSocket
{
    private const KEY = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // of section 1.3

    private bool $closing = false;
    private readonly FrameReader $reader;
    private string $unsent = '';
    private bool $sending = false;

    private function __construct(private readonly Socket $socket, string $rest)
    {
        $this->reader = new FrameReader();
        $this->reader->push($rest);
    }

    /**
     * Open one on a fresh connection.
     *
     * @param array<string, string> $headers `Host`, and what else is needed
     * @throws Refused the server answered otherwise
     * @throws ConnectionBroken
     * @throws TimedOut
     */
    public static function open(Socket $socket, string $path, array $headers, ?float $until): self
    {
        $key = base64_encode(random_bytes(16));
        $exchange = new HttpExchange($socket);
        $exchange->begin('GET', $path, $headers + [
            'Upgrade' => 'websocket',
            'Connection' => 'Upgrade',
            'Sec-WebSocket-Key' => $key,
            'Sec-WebSocket-Version' => '13',
        ], '', $until);
        if ($exchange->status !== 101) {
            throw new Refused($exchange->status, $exchange->body($until));
        }
        $accepted = base64_encode(sha1($key . self::KEY, true));
        $connection = preg_split('/[ \t]*,[ \t]*/', strtolower($exchange->headers['connection'] ?? '')) ?: [];
        if (
            strtolower($exchange->headers['upgrade'] ?? '') !== 'websocket'
            || !in_array('upgrade', $connection, true)
            || ($exchange->headers['sec-websocket-accept'] ?? '') !== $accepted
            || isset($exchange->headers['sec-websocket-extensions'])
            || isset($exchange->headers['sec-websocket-protocol'])
        ) {
            $socket->close();
            throw new ConnectionBroken('The handshake of the WebSocket was answered wrongly.');
        }
        return new self($socket, $exchange->takeRest());
    }

    /**
     * Send a message; waits while too much is under way.
     *
     * @throws ConnectionBroken the WebSocket has ended
     * @throws TimedOut part of it may be sent, so the WebSocket is closed
     */
    public function send(string $data, bool $binary, ?float $until = null): void
    {
        $this->write(new Frame($binary ? Frame::BINARY : Frame::TEXT, $data), $until);
    }

    /**
     * The next message, of opcode TEXT or BINARY; null when the WebSocket has ended.
     *
     * @throws TimedOut nothing is lost by it
     */
    public function receive(?float $until = null): ?Frame
    {
        try {
            for (;;) {
                $frame = $this->reader->next();
                if ($frame === null) {
                    $data = $this->socket->read($until);
                    if ($data === '') {
                        $this->socket->close();
                        return null;
                    }
                    $this->reader->push($data);
                } elseif ($frame->opcode === Frame::PING) {
                    $this->write(new Frame(Frame::PONG, $frame->payload), $until);
                } elseif ($frame->opcode === Frame::CLOSE) {
                    $this->answerClose($frame->payload);
                    return null;
                } elseif ($frame->opcode !== Frame::PONG) {
                    return $frame;
                }
            }
        } catch (ConnectionBroken) {
            return null;
        } catch (ProtocolError $error) {
            $this->end($error->closeCode);
            return null;
        }
    }

    /** Close it, well, without waiting for the answer. */
    public function close(): void
    {
        $this->end(1000);
    }

    private function answerClose(string $payload): void
    {
        $code = strlen($payload) >= 2 ? unpack('n', $payload)[1] : null;
        $known = $code === null || $code >= 3000 && $code <= 4999
            || in_array($code, [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014], true);
        $good = strlen($payload) !== 1 && $known && preg_match('//u', substr($payload, 2)) === 1;
        $this->end($good ? $code ?? 1000 : 1002);
    }

    private function end(int $code): void
    {
        if (!$this->closing && !$this->socket->isClosed() && !$this->sending) {
            $this->closing = true;
            $this->socket->say((new Frame(Frame::CLOSE, pack('n', $code)))->encoded(random_bytes(4)));
        }
        $this->closing = true;
        $this->socket->close();
    }

    private function write(Frame $frame, ?float $until): void
    {
        if ($this->closing || $this->socket->isClosed()) {
            throw new ConnectionBroken('The WebSocket has ended.');
        }
        $this->unsent .= $frame->encoded(random_bytes(4));
        if ($this->sending) {
            // Another task is in the middle of a frame, and sends this one after it.
            return;
        }
        $this->sending = true;
        try {
            while ($this->unsent !== '') {
                [$data, $this->unsent] = [$this->unsent, ''];
                $this->socket->write($data, $until);
            }
        } catch (TimedOut $late) {
            $this->socket->close();
            throw $late;
        } finally {
            $this->sending = false;
        }
    }
}
