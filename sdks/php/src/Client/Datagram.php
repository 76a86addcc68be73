<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Client\Data\ContactName;

/** A datagram of a contact. */
final class Datagram
{
    /** @internal */
    public function __construct(
        public readonly ContactName $contact,
        /** Its bytes. */
        public readonly string $data,
    ) {
    }
}
