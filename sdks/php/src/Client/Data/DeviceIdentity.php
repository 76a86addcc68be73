<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** Who this device is. */
final class DeviceIdentity extends Record
{
    public function __construct(
        public readonly string $id,
        /** As the device calls itself towards those whom it meets. */
        public readonly string $name,
        /** Raw Ed25519 key in base64. */
        public readonly string $publicKey,
        public readonly int $protocolVersion,
    ) {
    }
}
