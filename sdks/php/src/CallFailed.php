<?php

declare(strict_types=1);

namespace P4;

/** Thrown by the handler of a service: reaches the caller as it is, who catches it as this class, too. */
final class CallFailed extends P4Exception
{
    /**
     * The failure to throw.
     *
     * @param string $code of your own choice
     * @param string $message a sentence for a person
     * @param mixed $serviceData JSON that the caller gets by {@see CallFailed::serviceData()}
     */
    public static function because(string $code, string $message, mixed $serviceData = null): self
    {
        return new self($code, $message, 'CallFailed', ['type' => 'CallFailed', 'data' => $serviceData]);
    }

    /** What the service said about it. */
    public function serviceData(): mixed
    {
        return $this->data()['data'] ?? null;
    }
}
