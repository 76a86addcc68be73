<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** The whole node at one moment. */
final class DeviceStatus extends Record
{
    public function __construct(
        public readonly string $id,
        /** Unix milliseconds. */
        public readonly int $momentMs,
        public readonly int $startedMs,
        /** Process id of the daemon. */
        public readonly int $pid,
        public readonly string $stateDirectory,
        public readonly bool $reachable,
        public readonly string $reachability,
        public readonly ?int $checkedMs,
        /** @var list<string> */
        public readonly array $addresses,
        public readonly int $port,
        /** @var list<string> */
        public readonly array $localAddresses,
        /** @var list<string> */
        public readonly array $mappings,
        public readonly bool $lan,
        /** @var array<string, string> of the parts */
        public readonly array $versions,
        /** @var list<ContactStatus> */
        #[ListOf(ContactStatus::class)]
        public readonly array $contacts,
    ) {
    }
}
