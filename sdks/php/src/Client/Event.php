<?php

declare(strict_types=1);

namespace P4\Client;

/** Something that happened in the daemon (spec/daemon-api, "Events"). */
final class Event
{
    /** @internal */
    public function __construct(
        /** Such as `link.up`: a subject, a dot, what happened. */
        public readonly string $kind,
        /** @var array<string, mixed> what it is about, in the daemon's names; its parts depend on the kind */
        public readonly array $data,
    ) {
    }
}
