<?php

declare(strict_types=1);

namespace P4\Client\Data;

use P4\P4Exception;

/**
 * What the daemon tells, read from its JSON by the parameters of the constructor: `roundTrip` is `round_trip` there.
 * Times are Unix milliseconds (`…Ms`), lengths of time seconds. What it tells beyond that is ignored.
 */
abstract class Record
{
    /** @var array<class-string, list<array{string, string, ?class-string<Record>, bool, bool}>> */
    private static array $shapes = [];

    /**
     * Read one.
     *
     * @internal
     * @throws P4Exception `bad-answer`: it is not what spec/daemon-api says
     */
    final public static function read(mixed $entry): static
    {
        if (!is_array($entry)) {
            throw self::badAnswer('it is no object');
        }
        $arguments = [];
        foreach (self::$shapes[static::class] ??= self::shape() as [$name, $key, $class, $isList, $optional]) {
            $value = $entry[$key] ?? null;
            if ($value === null && !$optional) {
                throw self::badAnswer("there is no $key");
            }
            if ($class !== null && $value !== null) {
                $value = $isList ? array_map($class::read(...), is_array($value) ? $value : []) : $class::read($value);
            }
            $arguments[$name] = $value;
        }
        try {
            return new static(...$arguments);
        } catch (\TypeError $error) {
            throw self::badAnswer('a value has another type', $error);
        }
    }

    /**
     * Read a list of them.
     *
     * @internal
     * @return list<static>
     */
    final public static function readAll(mixed $entries): array
    {
        return is_array($entries) ? array_map(static::read(...), array_values($entries)) : throw self::badAnswer('no list');
    }

    /** @return list<array{string, string, ?class-string<Record>, bool, bool}> */
    private static function shape(): array
    {
        $shape = [];
        $constructor = (new \ReflectionClass(static::class))->getConstructor();
        foreach ($constructor?->getParameters() ?? [] as $parameter) {
            $type = $parameter->getType();
            $lists = $parameter->getAttributes(ListOf::class);
            $class = $lists !== [] ? $lists[0]->newInstance()->class : null;
            if ($type instanceof \ReflectionNamedType && is_subclass_of($type->getName(), self::class)) {
                $class = $type->getName();
            }
            $name = $parameter->getName();
            $key = strtolower((string) preg_replace('/[A-Z]/', '_$0', $name));
            $shape[] = [$name, $key, $class, $lists !== [], $type?->allowsNull() ?? true];
        }
        return $shape;
    }

    private static function badAnswer(string $why, ?\Throwable $previous = null): P4Exception
    {
        $message = 'The daemon answered what this package does not understand (' . static::class . ": $why). "
            . 'What was accepted is safe. Bring both to the same version.';
        return new P4Exception('bad-answer', $message, previous: $previous);
    }
}
