<?php

declare(strict_types=1);

namespace P4\Core;

/** A payload that its sender signed for us, recently. {@see Envelope::verify()} gives it. */
final class VerifiedEnvelope
{
    /** @internal */
    public function __construct(
        /** Peer id of the sender. */
        public readonly string $sender,
        /** Unix time in milliseconds, by the sender's clock. */
        public readonly int $timestampMs,
        /** 16 bytes as 32 hex digits: for the sender's {@see ReplayWindow}. */
        public readonly string $nonceHex,
        /** What was signed. Nothing is known of its meaning. */
        public readonly JsonObject $payload,
    ) {
    }
}
