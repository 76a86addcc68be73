<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * How to reach one daemon.
 *
 * @internal
 */
final class Endpoint
{
    public function __construct(
        /** For `stream_socket_client`: `unix:///path` or `tcp://127.0.0.1:40963`. */
        public readonly string $address,
        /** Of the `Host` header. */
        public readonly string $host,
        /** Of the `Authorization` header; null on a unix socket, whose mode is the permission. */
        #[\SensitiveParameter]
        public readonly ?string $token = null,
    ) {
    }

    /**
     * The one of an address such as `http://127.0.0.1:40963`.
     *
     * @throws \InvalidArgumentException it is none
     */
    public static function ofUrl(string $url, #[\SensitiveParameter] ?string $token): self
    {
        if (preg_match('~^http://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?/*$~Di', $url, $parts) !== 1) {
            throw new \InvalidArgumentException("$url is not the address of a daemon: http://127.0.0.1:PORT.");
        }
        if ($token !== null && preg_match('/^[\x21-\x7e]+$/D', $token) !== 1) {
            throw new \InvalidArgumentException('A token is one word.');
        }
        $host = $parts[1] . ':' . ($parts[2] ?? '80');
        return new self("tcp://$host", $host, $token);
    }

    /** As a person would say it. */
    public function name(): string
    {
        return preg_replace('~^(unix|tcp)://~', '', $this->address) ?? $this->address;
    }
}
