<?php

declare(strict_types=1);

namespace P4\Client;

/**
 * An object that the daemon told, and its text, in which a contact's value stands as it is.
 *
 * @internal
 */
final class Told
{
    /** @var array<string, mixed> */
    public readonly array $fields;

    public function __construct(public readonly string $text)
    {
        $fields = Json::read($text);
        $this->fields = is_array($fields) ? $fields : [];
    }

    public function type(): string
    {
        return $this->text('type');
    }

    public function text(string $key): string
    {
        $value = $this->fields[$key] ?? '';
        return is_string($value) ? $value : '';
    }

    public function number(string $key): ?int
    {
        $value = $this->fields[$key] ?? null;
        return is_int($value) ? $value : null;
    }
}
