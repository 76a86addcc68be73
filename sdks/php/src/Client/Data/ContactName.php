<?php

declare(strict_types=1);

namespace P4\Client\Data;

/** Who a contact is. */
final class ContactName extends Record
{
    public function __construct(
        /** 24 hex digits. */
        public readonly string $id,
        /** As the user calls it; may be empty. */
        public readonly string $name,
    ) {
    }

    /** Its name, or the beginning of its id if it has none. */
    public function label(): string
    {
        return $this->name !== '' ? $this->name : substr($this->id, 0, 8);
    }
}
