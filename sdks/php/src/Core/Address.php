<?php

declare(strict_types=1);

namespace P4\Core;

/**
 * Addresses that an invite can hold.
 *
 * @internal
 */
final class Address
{
    private const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
    private const LABEL = '/^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/D';

    /** Whether a text is a version-3 onion address with a right checksum (Tor rend-spec-v3). */
    public static function isOnion(string $host): bool
    {
        if (preg_match('/^[a-z2-7]{56}\.onion$/D', $host) !== 1) {
            return false;
        }
        $bits = '';
        foreach (str_split(substr($host, 0, 56)) as $letter) {
            $bits .= sprintf('%05b', strpos(self::BASE32, $letter));
        }
        $raw = pack('C*', ...array_map(bindec(...), str_split($bits, 8)));
        [$key, $checksum, $version] = [substr($raw, 0, 32), substr($raw, 32, 2), $raw[34]];
        $right = substr(hash('sha3-256', ".onion checksum$key\x03", true), 0, 2);
        return $version === "\x03" && $checksum === $right;
    }

    /** Whether a text is an IPv4 or IPv6 address without brackets, or a host name (RFC 1123, underscores allowed). */
    public static function isHost(string $host): bool
    {
        if (filter_var($host, FILTER_VALIDATE_IP, FILTER_FLAG_IPV4) !== false || self::isIpv6($host)) {
            return true;
        }
        $labels = explode('.', str_ends_with($host, '.') ? substr($host, 0, -1) : $host);
        foreach ($labels as $label) {
            if (preg_match(self::LABEL, $label) !== 1) {
                return false;
            }
        }
        // A last label of digits would be a mistyped IPv4 address, never a usable name.
        return strlen($host) <= 253 && !ctype_digit($labels[count($labels) - 1]);
    }

    private static function isIpv6(string $text): bool
    {
        [$address, $zone] = explode('%', $text, 2) + [1 => null];
        if ($zone === '' || str_contains((string) $zone, '%')) {
            return false;
        }
        return filter_var($address, FILTER_VALIDATE_IP, FILTER_FLAG_IPV6) !== false;
    }
}
