<?php

declare(strict_types=1);

namespace P4\Core;

use P4\P4Exception;

/** The one text that stands for a JSON value: RFC 8785. */
final class CanonicalJson
{
    /**
     * Write a value.
     *
     * @param mixed $value null, bool, int, float, string in UTF-8, {@see JsonObject}, `stdClass`, or an array: a list
     *     (also the empty one) is a JSON array, any other an object; nested at most 32 levels
     * @throws P4Exception `bad-string`, `bad-number`, `too-deep` or `not-json`: the value has no canonical form
     */
    public static function write(mixed $value): string
    {
        return self::any($value, 0);
    }

    private static function any(mixed $value, int $depth): string
    {
        return match (true) {
            is_string($value) => self::text($value),
            is_int($value), is_float($value) => self::number($value),
            $value === null => 'null',
            is_bool($value) => $value ? 'true' : 'false',
            is_array($value) && array_is_list($value) => self::items($value, $depth),
            is_array($value) => self::members(new JsonObject($value), $depth),
            $value instanceof JsonObject => self::members($value, $depth),
            $value instanceof \stdClass => self::members(new JsonObject((array) $value), $depth),
            default => throw self::refusal('not-json', 'A ' . get_debug_type($value) . ' is not a JSON value.'),
        };
    }

    /** @param list<mixed> $items */
    private static function items(array $items, int $depth): string
    {
        self::enter($depth);
        return '[' . implode(',', array_map(static fn (mixed $item) => self::any($item, $depth + 1), $items)) . ']';
    }

    private static function members(JsonObject $object, int $depth): string
    {
        self::enter($depth);
        $written = [];
        foreach ($object as $key => $value) {
            $written[self::order($key)] = self::text($key) . ':' . self::any($value, $depth + 1);
        }
        ksort($written, SORT_STRING);
        return '{' . implode(',', $written) . '}';
    }

    /**
     * Bytes that sort as the UTF-16 code units of the text do (section 3.2.3). UTF-8 differs from that only in what
     * begins with EE and EF (U+E000 to U+FFFF), which comes after surrogates there; these bytes begin nothing else.
     * The letter before them keeps PHP from making a number of the key.
     */
    private static function order(string $key): string
    {
        return 'k' . strtr($key, "\xEE\xEF", "\xFE\xFF");
    }

    private static function text(string $text): string
    {
        $written = json_encode(
            $text,
            JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_LINE_TERMINATORS,
        );
        return $written !== false ? $written : throw self::refusal('bad-string', 'A string is not valid UTF-8.');
    }

    private static function number(int|float $number): string
    {
        if (!(abs($number) <= JsonReader::MAX_NUMBER)) {
            throw self::refusal('bad-number', 'A number is beyond 2^53-1 or not finite.');
        }
        if (is_int($number) || $number === floor($number)) {
            return (string) (int) $number; // that of -0.0 is "0"
        }
        // Section 3.2.2.3: ECMAScript's form of the shortest digits, which PHP gives for a precision of -1, whatever
        // its settings and the locale are.
        preg_match('/^(-?)([0-9]+)\.?([0-9]*)(?:E([+-][0-9]+))?$/', sprintf('%.*H', -1, $number), $parts);
        [, $sign, $whole, $fraction] = $parts;
        $digits = ltrim($whole . $fraction, '0');
        // The decimal point stands before the digit of this index; negative: so many zeros are between.
        $point = strlen($whole) + (int) ($parts[4] ?? 0) - (strlen($whole . $fraction) - strlen($digits));
        $digits = rtrim($digits, '0');
        return $sign . match (true) {
            $point > 0 => substr($digits, 0, $point) . '.' . substr($digits, $point),
            $point > -6 => '0.' . str_repeat('0', -$point) . $digits,
            default => $digits[0] . (strlen($digits) > 1 ? '.' . substr($digits, 1) : '') . 'e' . ($point - 1),
        };
    }

    private static function enter(int $depth): void
    {
        if ($depth >= JsonReader::MAX_DEPTH) {
            throw self::refusal('too-deep', 'The JSON is nested deeper than ' . JsonReader::MAX_DEPTH . ' levels.');
        }
    }

    private static function refusal(string $code, string $message): P4Exception
    {
        return new P4Exception($code, "This value cannot be written as JSON: $message", 'InputError');
    }
}
