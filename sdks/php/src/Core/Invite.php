<?php

declare(strict_types=1);

namespace P4\Core;

use P4\P4Exception;

/** What one person gives another so that their devices find each other, of version 1 (spec/invite.md). No secret. */
final class Invite implements \JsonSerializable
{
    /** Longest invite that is read, in bytes; a real one has about 300. */
    private const MAX_BYTES = 16 * 1024;
    // The byte order mark counts as white space: it may be pasted along.
    private const SPACE = '(?:\xEF\xBB\xBF|\xC2\xA0|[ \t\r\n\v\f])++';

    /** The id that belongs to the key. */
    public readonly string $peerId;

    /**
     * @param string $publicKey raw 32-byte Ed25519 key
     * @param string $transport `onion` or `direct`
     * @param string $address onion address, IP address without brackets, or host name
     * @param int $port 1 to 65535
     * @throws P4Exception `bad-key`, `bad-transport`, `bad-port` or `bad-address`
     */
    public function __construct(
        public readonly string $publicKey,
        public readonly string $transport,
        public readonly string $address,
        public readonly int $port,
    ) {
        if (!Keys::isUsable($publicKey)) {
            throw self::refusal('bad-key', 'The key of the invite is not a safe Ed25519 public key.');
        }
        if (!in_array($transport, ['onion', 'direct'], true)) {
            $message = 'The invite names a transport that this program does not know. Update it.';
            throw self::refusal('bad-transport', $message);
        }
        if ($port < 1 || $port > 65535) {
            throw self::refusal('bad-port', 'The port of the invite is not between 1 and 65535.');
        }
        if (!($transport === 'onion' ? Address::isOnion($address) : Address::isHost($address))) {
            throw self::refusal('bad-address', "The invite holds no valid $transport address.");
        }
        $this->peerId = Keys::peerId($publicKey);
    }

    /**
     * Read an invite from a file or from pasted text.
     *
     * @param string $data in UTF-8 or UTF-16, with or without byte order mark
     * @throws P4Exception `too-large`, `not-utf8`, a code of {@see JsonReader::object()}, `missing-field`, `bad-field`,
     *     `bad-key`, `wrong-id`, `bad-transport`, `bad-port` or `bad-address`
     */
    public static function parse(string $data): self
    {
        if (strlen($data) > self::MAX_BYTES) {
            throw self::refusal('too-large', 'This is too long for an invite. Check that it is the right file.');
        }
        $text = self::decodeText($data);
        $text = (string) preg_replace('/^' . self::SPACE . '|' . self::SPACE . '$/D', '', $text);
        return self::fromObject(JsonReader::object($text, 'InviteError'));
    }

    /** Check the JSON object of an invite, as {@see Invite::parse()} from `missing-field` on. Unknown keys are ignored. */
    public static function fromObject(JsonObject $fields): self
    {
        $peerId = self::text($fields, 'peer_id');
        $encoded = self::text($fields, 'public_key_b64');
        $rendezvous = self::field($fields, 'rendezvous');
        if (!$rendezvous instanceof JsonObject) {
            throw self::refusal('bad-field', 'The rendezvous of the invite is not an object.');
        }
        try {
            $publicKey = Keys::decode($encoded);
        } catch (P4Exception $error) {
            throw self::refusal('bad-key', 'The key of the invite cannot be read.', $error);
        }
        if (!Keys::isUsable($publicKey)) {
            throw self::refusal('bad-key', 'The key of the invite is not a safe Ed25519 public key.');
        }
        if ($peerId !== Keys::peerId($publicKey)) {
            throw self::refusal('wrong-id', 'The peer id of the invite does not belong to its key. Somebody changed it '
                . 'on the way, or it was copied in part. Ask for it again over another way.');
        }
        $transport = self::text($rendezvous, 'transport');
        $address = self::text($rendezvous, 'address');
        $port = self::field($rendezvous, 'port');
        if (!is_int($port)) {
            if (in_array($transport, ['onion', 'direct'], true)) {
                throw self::refusal('bad-port', 'The port of the invite is not a whole number.');
            }
            $port = 0; // of an unknown transport nothing else is known
        }
        return new self($publicKey, $transport, $address, $port);
    }

    /**
     * The JSON object, keys in version 1's order.
     *
     * @return array<string, mixed>
     */
    public function jsonSerialize(): array
    {
        return [
            'peer_id' => $this->peerId,
            'public_key_b64' => Keys::encode($this->publicKey),
            'rendezvous' => [
                'transport' => $this->transport,
                'address' => $this->address,
                'port' => $this->port,
            ],
        ];
    }

    /** The invite as indented JSON without a final line end, as version 1 prints it. */
    public function toText(): string
    {
        $flags = JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR;
        // Version 1 indents by two spaces.
        return (string) preg_replace_callback(
            '/^(?: {4})+/m',
            static fn (array $found): string => str_repeat('  ', intdiv(strlen($found[0]), 4)),
            json_encode($this, $flags),
        );
    }

    /** Windows shells redirect into UTF-16, some editors put a mark before UTF-8. */
    private static function decodeText(string $data): string
    {
        // An invite begins with an ASCII character, so a zero byte beside it gives UTF-16 away.
        $encoding = match (true) {
            str_starts_with($data, "\xFE\xFF"), strlen($data) > 1 && $data[0] === "\0" => 'n',
            str_starts_with($data, "\xFF\xFE"), strlen($data) > 1 && $data[1] === "\0" => 'v',
            default => null,
        };
        $text = $encoding === null ? $data : self::fromUtf16($data, $encoding);
        return $text !== null && preg_match('//u', $text) === 1
            ? $text
            : throw self::refusal('not-utf8', 'The file is neither UTF-8 nor UTF-16 text.');
    }

    /** By hand, for neither mbstring nor iconv is always there. @param string $unit of `unpack`, for one code unit */
    private static function fromUtf16(string $data, string $unit): ?string
    {
        if (strlen($data) % 2 !== 0) {
            return null;
        }
        $escaped = '';
        foreach (unpack("$unit*", $data) ?: [] as $code) {
            $escaped .= sprintf('\\u%04x', $code);
        }
        $text = json_decode("\"$escaped\""); // null if half of a surrogate pair is in it
        return is_string($text) ? $text : null;
    }

    private static function field(JsonObject $fields, string $key): mixed
    {
        if (!$fields->has($key)) {
            throw self::refusal('missing-field', "The invite has no $key. It may be copied in part.");
        }
        return $fields[$key];
    }

    private static function text(JsonObject $fields, string $key): string
    {
        $value = self::field($fields, $key);
        return is_string($value) ? $value : throw self::refusal('bad-field', "The $key of the invite is not a string.");
    }

    private static function refusal(string $code, string $message, ?\Throwable $previous = null): P4Exception
    {
        return new P4Exception($code, $message, 'InviteError', previous: $previous);
    }
}
