<?php

declare(strict_types=1);

namespace P4\Core;

/**
 * Standard padded base64 (RFC 4648, section 4), in its only spelling.
 *
 * @internal
 */
final class Base64
{
    /** The bytes; null for another spelling: no padding, other letters, unused bits that are set, white space. */
    public static function decode(string $text): ?string
    {
        $data = base64_decode($text, true);
        return $data !== false && base64_encode($data) === $text ? $data : null;
    }
}
