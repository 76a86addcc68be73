<?php

declare(strict_types=1);

namespace P4\Client\Data;

/**
 * Says what is in a list, for {@see Record::read()}.
 *
 * @internal
 */
#[\Attribute(\Attribute::TARGET_PARAMETER | \Attribute::TARGET_PROPERTY)]
final class ListOf
{
    /** @param class-string<Record> $class */
    public function __construct(public readonly string $class)
    {
    }
}
