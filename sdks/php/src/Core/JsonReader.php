<?php

declare(strict_types=1);

namespace P4\Core;

use P4\P4Exception;

/**
 * Reads JSON within the profile of spec/envelope.md, "JSON profile".
 *
 * `json_decode` takes the last of two equal keys, makes floats of large integers, and cannot tell `{}` from `[]` in
 * arrays. Here objects are {@see JsonObject}, arrays lists, and numbers int where they are written as integers.
 */
final class JsonReader
{
    /** Objects and arrays within each other, the outermost counting as 1. */
    public const MAX_DEPTH = 32;
    /** The greatest magnitude of a number: 2^53-1. */
    public const MAX_NUMBER = 9007199254740991;

    // Possessive, so that long strings need no memory for going back.
    private const STRING = '/\G"[^"\\\\\x00-\x1f]*+(?:\\\\(?:["\\\\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\\\x00-\x1f]*+)*+"/';
    private const NUMBER = '/\G-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?([eE][+-]?[0-9]++)?/';
    private const WORDS = ['true' => true, 'false' => false, 'null' => null];

    private int $place = 0;

    private function __construct(private readonly string $text, private readonly string $type)
    {
    }

    /**
     * Read exactly one JSON object.
     *
     * @param string $data bytes, already bounded in size by the caller
     * @param string $type {@see P4Exception::type()} of what is thrown
     * @throws P4Exception `not-utf8`, `not-json`, `not-object`, `duplicate-key`, `bad-number`, `bad-string`, `too-deep`
     */
    public static function object(string $data, string $type = 'RemoteError'): JsonObject
    {
        $value = self::value($data, $type);
        if (!$value instanceof JsonObject) {
            throw new P4Exception('not-object', 'The outermost JSON value is not an object.', $type);
        }
        return $value;
    }

    /** As {@see JsonReader::object()}, for any JSON value. */
    public static function value(string $data, string $type = 'RemoteError'): mixed
    {
        if (preg_match('//u', $data) !== 1) {
            throw new P4Exception('not-utf8', 'The text is not valid UTF-8.', $type);
        }
        $reader = new self($data, $type);
        $value = $reader->any(1);
        if ($reader->place !== strlen($data)) {
            throw $reader->notJson();
        }
        return $value;
    }

    /** A value and the white space around it. */
    private function any(int $depth): mixed
    {
        $this->skip();
        $value = match ($this->text[$this->place] ?? '') {
            '{' => $this->members($depth),
            '[' => $this->items($depth),
            '"' => $this->string(),
            default => $this->word(),
        };
        $this->skip();
        return $value;
    }

    private function members(int $depth): JsonObject
    {
        $this->enter($depth);
        $members = [];
        if ($this->follows('}')) {
            return new JsonObject();
        }
        do {
            $this->skip();
            $key = $this->string();
            if (array_key_exists($key, $members)) {
                // Readers differ in which of the two they take: one signature, two meanings.
                throw $this->refusal('duplicate-key', 'An object has the same key twice.');
            }
            $this->skip();
            if (!$this->follows(':')) {
                throw $this->notJson();
            }
            $members[$key] = $this->any($depth + 1);
        } while ($this->follows(','));
        if (!$this->follows('}')) {
            throw $this->notJson();
        }
        return new JsonObject($members);
    }

    /** @return list<mixed> */
    private function items(int $depth): array
    {
        $this->enter($depth);
        $items = [];
        if ($this->follows(']')) {
            return $items;
        }
        do {
            $items[] = $this->any($depth + 1);
        } while ($this->follows(','));
        if (!$this->follows(']')) {
            throw $this->notJson();
        }
        return $items;
    }

    private function enter(int $depth): void
    {
        if ($depth > self::MAX_DEPTH) {
            throw $this->refusal('too-deep', 'The JSON is nested deeper than ' . self::MAX_DEPTH . ' levels.');
        }
        $this->place++;
        $this->skip();
    }

    private function string(): string
    {
        $token = $this->match(self::STRING) ?? throw $this->notJson();
        if (!str_contains($token, '\\')) {
            return substr($token, 1, -1);
        }
        $value = json_decode($token);
        // The form is right, so only its code units can be wrong.
        return is_string($value) ? $value : throw $this->refusal('bad-string', 'A string has half of a surrogate pair.');
    }

    private function word(): mixed
    {
        foreach (self::WORDS as $word => $value) {
            if (substr_compare($this->text, $word, $this->place, strlen($word)) === 0) {
                $this->place += strlen($word);
                return $value;
            }
        }
        if ($this->match('/\G(?:NaN|-?Infinity)/') !== null) {
            throw $this->refusal('bad-number', 'NaN and Infinity are no JSON numbers.');
        }
        $token = $this->match(self::NUMBER) ?? throw $this->notJson();
        // Beyond PHP's integers this is a float, and beyond floats it is infinite: both are too large.
        $value = strpbrk($token, '.eE') === false ? $token + 0 : (float) $token;
        if (abs($value) > self::MAX_NUMBER) {
            throw $this->refusal('bad-number', 'A number is beyond 2^53-1.');
        }
        return $value;
    }

    private function match(string $pattern): ?string
    {
        $found = preg_match($pattern, $this->text, $matches, 0, $this->place);
        if ($found === false) {
            throw new \LogicException('The JSON could not be searched: ' . preg_last_error_msg());
        }
        if ($found === 0) {
            return null;
        }
        $this->place += strlen($matches[0]);
        return $matches[0];
    }

    private function follows(string $letter): bool
    {
        if (($this->text[$this->place] ?? '') !== $letter) {
            return false;
        }
        $this->place++;
        return true;
    }

    private function skip(): void
    {
        $this->place += strspn($this->text, " \t\n\r", $this->place);
    }

    private function notJson(): P4Exception
    {
        return $this->refusal('not-json', 'The text is not valid JSON.');
    }

    private function refusal(string $code, string $message): P4Exception
    {
        return new P4Exception($code, $message, $this->type);
    }
}
