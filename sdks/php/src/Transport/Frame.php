<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * A frame of a WebSocket (RFC 6455, section 5.2), unmasked.
 *
 * @internal
 */
final class Frame
{
    public const CONTINUATION = 0x0;
    public const TEXT = 0x1;
    public const BINARY = 0x2;
    public const CLOSE = 0x8;
    public const PING = 0x9;
    public const PONG = 0xA;

    public function __construct(
        public readonly int $opcode,
        public readonly string $payload,
        public readonly bool $final = true,
    ) {
    }

    /** As a client writes it. @param string $mask four random bytes */
    public function encoded(string $mask): string
    {
        $length = strlen($this->payload);
        $head = chr(($this->final ? 0x80 : 0) | $this->opcode) . match (true) {
            $length < 126 => chr(0x80 | $length),
            $length < 65536 => pack('Cn', 0x80 | 126, $length),
            default => pack('CJ', 0x80 | 127, $length),
        };
        return $head . $mask . ($this->payload ^ str_pad('', $length, $mask));
    }
}
