<?php

declare(strict_types=1);

namespace P4\Conformance;

use P4\Client\Stream;
use P4\P4Exception;
use P4\Transport\Loop;

/** A stream, and what was read from it and not given yet. */
final class HeldStream
{
    private string $rest = '';

    public function __construct(public Stream $stream)
    {
    }

    /** Where the next byte that is given stands. */
    public function position(): int
    {
        return $this->stream->position() - strlen($this->rest);
    }

    /** @return array{string, bool} exactly so many bytes, or fewer at the end */
    public function read(int $length, float $seconds): array
    {
        $until = Loop::now() + $seconds;
        $atEnd = false;
        while (strlen($this->rest) < $length && !$atEnd) {
            $piece = $this->stream->read(timeoutSeconds: max(0.0, $until - Loop::now()));
            $atEnd = $piece === null;
            $this->rest .= $piece;
        }
        $given = substr($this->rest, 0, $length);
        $this->rest = substr($this->rest, strlen($given));
        $this->stream->consumed($this->position(), $atEnd);
        return [$given, $atEnd];
    }

    /** @throws P4Exception `over` */
    public function resume(): void
    {
        $this->stream = $this->stream->reopen();
        $this->rest = '';
    }
}
