<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * Reads what a WebSocket's server sends: frames of any cut, messages put together, everything that RFC 6455 forbids
 * refused.
 *
 * @internal
 */
final class FrameReader
{
    private const OPCODES = [Frame::CONTINUATION, Frame::TEXT, Frame::BINARY, Frame::CLOSE, Frame::PING, Frame::PONG];

    private string $buffer = '';
    private int $place = 0;
    private ?int $opcode = null;
    /** @var list<string> */
    private array $parts = [];
    private int $size = 0;

    /** @param int $mostBytes of one message */
    public function __construct(private readonly int $mostBytes = 64 * 1024 * 1024)
    {
    }

    /** More bytes have come. */
    public function push(string $data): void
    {
        $this->buffer = substr($this->buffer, $this->place) . $data;
        $this->place = 0;
    }

    /**
     * The next whole message, or frame of control; null until more comes.
     *
     * @throws ProtocolError the server breaks the protocol
     */
    public function next(): ?Frame
    {
        while (($frame = $this->frame()) !== null) {
            if ($frame->opcode >= Frame::CLOSE) {
                return $frame;
            }
            if (($frame->opcode === Frame::CONTINUATION) !== ($this->opcode !== null)) {
                throw new ProtocolError(1002, 'A message is continued that was not begun, or begun within another.');
            }
            $this->opcode ??= $frame->opcode;
            $this->parts[] = $frame->payload;
            $this->size += strlen($frame->payload);
            if ($this->size > $this->mostBytes) {
                throw new ProtocolError(1009, 'A message is too large.');
            }
            if ($frame->final) {
                $message = new Frame($this->opcode, implode('', $this->parts));
                [$this->opcode, $this->parts, $this->size] = [null, [], 0];
                if ($message->opcode === Frame::TEXT && preg_match('//u', $message->payload) !== 1) {
                    throw new ProtocolError(1007, 'A text is not valid UTF-8.');
                }
                return $message;
            }
        }
        return null;
    }

    private function frame(): ?Frame
    {
        $there = strlen($this->buffer) - $this->place;
        if ($there < 2) {
            return null;
        }
        [$first, $second] = [ord($this->buffer[$this->place]), ord($this->buffer[$this->place + 1])];
        [$opcode, $length, $final] = [$first & 0x0F, $second & 0x7F, ($first & 0x80) !== 0];
        if (($first & 0x70) !== 0 || !in_array($opcode, self::OPCODES, true)) {
            throw new ProtocolError(1002, 'A frame uses what was not agreed upon.');
        }
        if (($second & 0x80) !== 0) {
            throw new ProtocolError(1002, 'A frame of the server is masked.');
        }
        if ($opcode >= Frame::CLOSE && (!$final || $length > 125)) {
            throw new ProtocolError(1002, 'A frame of control is in pieces or too long.');
        }
        $head = 2 + match ($length) {
            126 => 2,
            127 => 8,
            default => 0,
        };
        if ($there < $head) {
            return null;
        }
        if ($length === 126) {
            $length = unpack('n', $this->buffer, $this->place + 2)[1];
            $short = $length < 126;
        } elseif ($length === 127) {
            $length = unpack('J', $this->buffer, $this->place + 2)[1];
            $short = $length < 65536; // also one whose first bit is set: it is negative here
        }
        if ($short ?? false) {
            throw new ProtocolError(1002, 'A length is not written as short as it could be.');
        }
        if ($length > $this->mostBytes) {
            throw new ProtocolError(1009, 'A frame is too large.');
        }
        if ($there < $head + $length) {
            return null;
        }
        $payload = substr($this->buffer, $this->place + $head, $length);
        $this->place += $head + $length;
        return new Frame($opcode, $payload, $final);
    }
}
