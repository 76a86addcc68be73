<?php

declare(strict_types=1);

namespace P4\Core;

/**
 * A JSON object: its keys are strings, in their order, and an empty one is no empty array.
 *
 * PHP's arrays lose both, and properties of `stdClass` cannot begin with a NUL.
 *
 * @implements \ArrayAccess<string, mixed>
 * @implements \IteratorAggregate<string, mixed>
 */
final class JsonObject implements \ArrayAccess, \IteratorAggregate, \Countable, \JsonSerializable
{
    /** @param array<mixed> $members their keys are taken as strings */
    public function __construct(private readonly array $members = [])
    {
    }

    /** Whether there is such a member, also one that is null. */
    public function has(string $key): bool
    {
        return array_key_exists($key, $this->members);
    }

    /**
     * The keys, in their order.
     *
     * @return list<string>
     */
    public function keys(): array
    {
        return array_map('strval', array_keys($this->members));
    }

    /**
     * As arrays, with everything inside. Empty objects and empty arrays are the same then.
     *
     * @return array<mixed>
     */
    public function toArray(): array
    {
        return self::plain($this->members);
    }

    public function offsetExists(mixed $offset): bool
    {
        return isset($this->members[$offset]);
    }

    /** The member; null if there is none. */
    public function offsetGet(mixed $offset): mixed
    {
        return $this->members[$offset] ?? null;
    }

    /** A JSON object does not change: throws. */
    public function offsetSet(mixed $offset, mixed $value): never
    {
        throw new \LogicException('A JsonObject does not change.');
    }

    /** A JSON object does not change: throws. */
    public function offsetUnset(mixed $offset): never
    {
        throw new \LogicException('A JsonObject does not change.');
    }

    public function getIterator(): \Generator
    {
        foreach ($this->members as $key => $value) {
            yield (string) $key => $value;
        }
    }

    public function count(): int
    {
        return count($this->members);
    }

    /** For `json_encode`, which drops keys that begin with a NUL; {@see CanonicalJson::write()} does not. */
    public function jsonSerialize(): object
    {
        return (object) $this->members;
    }

    /**
     * @param array<mixed> $members
     * @return array<mixed>
     */
    private static function plain(array $members): array
    {
        return array_map(static fn (mixed $value): mixed => match (true) {
            $value instanceof self => $value->toArray(),
            is_array($value) => self::plain($value),
            default => $value,
        }, $members);
    }
}
