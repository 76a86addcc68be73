<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** What keeps a device from its contacts. */
final class Diagnosis extends Record
{
    public function __construct(
        public readonly bool $healthy,
        /** @var list<Finding> */
        #[ListOf(Finding::class)]
        public readonly array $findings,
    ) {
    }
}
