<?php

declare(strict_types=1);

namespace P4;

/**
 * Bytes, where a value can be bytes or JSON: PHP's strings are both.
 *
 * A string that is sent as it is becomes a JSON text and has to be UTF-8.
 */
final class Bytes implements \Stringable
{
    public function __construct(public readonly string $data)
    {
    }

    /** The bytes. */
    public function __toString(): string
    {
        return $this->data;
    }
}
