<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Bytes;
use P4\Core\JsonReader;
use P4\P4Exception;

/**
 * The JSON of the daemon's API, and values in it: bytes or JSON.
 *
 * @internal
 */
final class Json
{
    private const DEPTH = 1024;
    private const WRITE = JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_SLASHES
        | JSON_UNESCAPED_UNICODE;

    /** @throws P4Exception `not-json`: it cannot be written */
    public static function write(mixed $value): string
    {
        // Floats shall arrive as they are, whatever this PHP is set to.
        $precision = ini_set('serialize_precision', '-1');
        try {
            return json_encode($value, self::WRITE, self::DEPTH);
        } catch (\JsonException $error) {
            $message = "This value cannot be written as JSON: {$error->getMessage()}. Nothing was done. Bytes that are no "
                . 'text are sent as P4\Bytes.';
            throw new P4Exception('not-json', $message, 'InputError', previous: $error);
        } finally {
            if ($precision !== false) {
                ini_set('serialize_precision', $precision);
            }
        }
    }

    /**
     * What the daemon said, objects as arrays.
     *
     * @throws P4Exception `bad-answer`
     */
    public static function read(string $text): mixed
    {
        try {
            return json_decode($text, true, self::DEPTH, JSON_THROW_ON_ERROR);
        } catch (\JsonException $error) {
            throw new P4Exception('bad-answer', 'What answers is no daemon of P4.', previous: $error);
        }
    }

    /**
     * A value as members of a request: {@see Bytes} in base64, anything else as JSON.
     *
     * @return array<string, mixed>
     */
    public static function value(mixed $value): array
    {
        return $value instanceof Bytes ? ['base64' => base64_encode($value->data)] : ['value' => $value];
    }

    /**
     * The value in the text of an object of the daemon: {@see Bytes}, or JSON with its objects as `stdClass`, so that
     * `{}` stays what it is.
     *
     * @throws P4Exception `bad-body`: the contact's program sent what is no JSON
     */
    public static function valueOf(string $text): mixed
    {
        $entry = json_decode($text, false, self::DEPTH);
        if (json_last_error() === JSON_ERROR_INVALID_PROPERTY_NAME) {
            $entry = (object) iterator_to_array(JsonReader::object($text)); // a key that begins with a NUL
        }
        if (is_string($entry->base64 ?? null)) {
            return new Bytes((string) base64_decode($entry->base64, true));
        }
        if ($entry instanceof \stdClass && property_exists($entry, 'value')) {
            return $entry->value;
        }
        $problem = $entry->problem ?? '';
        $message = is_string($problem) && $problem !== '' ? $problem : 'It has neither a JSON value nor bytes.';
        throw new P4Exception('bad-body', $message, 'FrameError');
    }

    /**
     * A name or id as one part of a path.
     *
     * @throws P4Exception `bad-name`: it is empty, a dot or two, or has a slash, which a path cannot hold
     */
    public static function quoted(string $part): string
    {
        if (in_array($part, ['', '.', '..'], true)) {
            throw new P4Exception('bad-name', "\"$part\" names nothing. Nothing was done.", 'InputError');
        }
        if (str_contains($part, '/')) {
            $message = "\"$part\" has a slash in it. Nothing was done. Use the beginning of the contact's id instead.";
            throw new P4Exception('bad-name', $message, 'InputError');
        }
        return rawurlencode($part);
    }

    /**
     * The query of an address, with its question mark; empty for none. What is null is left out.
     *
     * @param array<string, string|int|float|bool|null> $parameters
     */
    public static function query(array $parameters): string
    {
        $given = array_filter($parameters, static fn (mixed $value): bool => $value !== null);
        $texts = array_map(static fn (mixed $value) => is_bool($value) ? ($value ? 'true' : 'false') : $value, $given);
        return $texts === [] ? '' : '?' . http_build_query($texts, '', '&', PHP_QUERY_RFC3986);
    }
}
