<?php

declare(strict_types=1);

namespace P4\Core;

use P4\P4Exception;

/** Ed25519 public keys, and the ids that follow from them (spec/identity.md). Keys are raw strings of 32 bytes. */
final class Keys
{
    /** Bytes of a seed and of a public key. */
    public const BYTES = 32;

    /** y of the eight points whose order divides 8, without the sign of x: a hex number each, least byte first. */
    private const SMALL_ORDER = [
        '0000000000000000000000000000000000000000000000000000000000000000',
        '0100000000000000000000000000000000000000000000000000000000000000',
        'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
        '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
        'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    ];
    /** d of the curve, -121665/121666, and the prime 2^255-19, likewise. */
    private const CURVE = 'a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352';
    private const FIELD = 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f';

    /** The id that belongs to a public key: 24 hex digits. */
    public static function peerId(string $publicKey): string
    {
        return substr(hash('sha256', $publicKey), 0, 24);
    }

    /** Whether a text has the form of a peer id. */
    public static function isPeerId(string $text): bool
    {
        return preg_match('/^[0-9a-f]{24}$/D', $text) === 1;
    }

    /**
     * The key, or seed, in standard padded base64.
     *
     * @throws P4Exception `bad-key`: any other spelling or length
     */
    public static function decode(string $text): string
    {
        $key = Base64::decode($text);
        if ($key === null || strlen($key) !== self::BYTES) {
            $message = 'The key cannot be read: it is not 32 bytes in padded base64.';
            throw new P4Exception('bad-key', $message, 'InputError');
        }
        return $key;
    }

    /** A key in standard padded base64. */
    public static function encode(string $key): string
    {
        return base64_encode($key);
    }

    /**
     * Whether the bytes are a public key that can prove something: canonical, on the curve, and not of small order, for
     * which anybody can sign (spec/identity.md, "Keys").
     */
    public static function isUsable(string $publicKey): bool
    {
        return strlen($publicKey) === self::BYTES && Engines::current()->isUsableKey($publicKey);
    }

    /** Whether the Ed25519 signature, 64 bytes, over the message is the key's. */
    public static function verify(string $publicKey, string $signature, string $message): bool
    {
        return strlen($signature) === SODIUM_CRYPTO_SIGN_BYTES
            && strlen($publicKey) === self::BYTES
            && sodium_crypto_sign_verify_detached($signature, $message, $publicKey);
    }

    /**
     * {@see Keys::isUsable()}, in PHP.
     *
     * @internal
     */
    public static function isPointOfUse(string $publicKey): bool
    {
        $last = strlen($publicKey) - 1;
        $coordinate = $publicKey;
        $coordinate[$last] = chr(ord($publicKey[$last]) & 0x7F); // without the sign of x
        if (strcmp(strrev($coordinate), strrev((string) hex2bin(self::FIELD))) >= 0) {
            return false;
        }
        if (in_array(bin2hex($coordinate), self::SMALL_ORDER, true)) {
            return false;
        }
        // The curve is -x^2 + y^2 = 1 + d x^2 y^2, so x^2 = u/v; u/v is a square exactly if u*v is.
        $one = FieldElement::of(1);
        $y = FieldElement::fromBytes($coordinate);
        $square = $y->times($y);
        $d = FieldElement::fromBytes((string) hex2bin(self::CURVE));
        return $square->minus($one)->times($d->times($square)->plus($one))->isSquare();
    }
}
