<?php

declare(strict_types=1);

namespace P4\Core;

use P4\P4Exception;

/** A well-formed envelope of which nothing is proven. Use it to look up the sender's key, no more. */
final class Envelope
{
    /** Of the protocol. */
    public const VERSION = 1;
    /** Longest line with its end, in bytes. */
    public const LINE_BYTES = 64 * 1024;

    private function __construct(
        /** Who claims to have sent it. */
        public readonly string $sender,
        /** For whom it is. */
        public readonly string $recipient,
        /** Unix milliseconds by the sender's clock. */
        public readonly int $timestampMs,
        /** 32 hex digits. */
        public readonly string $nonceHex,
        public readonly JsonObject $payload,
        /** 64 bytes. */
        public readonly string $signature,
        /** What was read. */
        public readonly string $line,
    ) {
    }

    /**
     * Sign a payload for a recipient.
     *
     * @param string $recipient peer id of the only one that will accept it
     * @param JsonObject|\stdClass|array<string, mixed> $payload a JSON object
     * @param int|null $timestampMs Unix time in milliseconds; now by default
     * @param string|null $nonce 16 bytes that were never used before; random by default
     * @return string one line of JSON without its end, in canonical form
     * @throws P4Exception the payload has no canonical form
     * @throws \InvalidArgumentException an argument has the wrong form, or it does not fit into a line
     */
    public static function seal(
        Identity $sender,
        string $recipient,
        JsonObject|\stdClass|array $payload,
        ?int $timestampMs = null,
        ?string $nonce = null,
    ): string {
        $timestampMs ??= self::now();
        $nonce ??= random_bytes(16);
        if (strlen($nonce) !== 16) {
            throw new \InvalidArgumentException('A nonce has 16 bytes, not ' . strlen($nonce) . '.');
        }
        if (!Keys::isPeerId($recipient)) {
            throw new \InvalidArgumentException('The recipient is not a peer id.');
        }
        if ($timestampMs < 0 || $timestampMs > JsonReader::MAX_NUMBER) {
            throw new \InvalidArgumentException('A time is between 0 and 2^53-1.');
        }
        if (!$payload instanceof JsonObject) {
            $payload = new JsonObject((array) $payload);
        }
        $line = Engines::current()->seal($sender, $recipient, $payload, $timestampMs, bin2hex($nonce));
        if (strlen($line) >= self::LINE_BYTES) {
            throw new \InvalidArgumentException(
                'An envelope of ' . strlen($line) . ' bytes does not fit into a line.',
            );
        }
        return $line;
    }

    /**
     * Read an envelope and check its form (spec/envelope.md, "Reading and verifying", 1 to 4).
     *
     * @param string $line one line without its end
     * @throws P4Exception `too-long`; a code of {@see JsonReader::object()}; `missing-field`, `bad-field`,
     *     `bad-version`
     */
    public static function parse(string $line): self
    {
        if (strlen($line) >= self::LINE_BYTES) {
            throw self::refusal('too-long', 'The line is longer than ' . self::LINE_BYTES . ' bytes with its end.');
        }
        $fields = JsonReader::object($line, 'EnvelopeError');
        // First of all: of an unknown version we know no other field.
        if (self::integer($fields, 'protocol_version', PHP_INT_MIN) !== self::VERSION) {
            throw self::refusal('bad-version', 'The envelope is of another protocol version than 1.');
        }
        $sender = self::text($fields, 'sender_peer_id', '/^[0-9a-f]{24}$/D');
        $recipient = self::text($fields, 'recipient_peer_id', '/^[0-9a-f]{24}$/D');
        $timestampMs = self::integer($fields, 'timestamp_ms', 0);
        $nonceHex = self::text($fields, 'nonce', '/^[0-9a-f]{32}$/D');
        $payload = self::field($fields, 'payload');
        if (!$payload instanceof JsonObject) {
            throw self::badField('payload');
        }
        $encoded = self::text($fields, 'signature_b64', '/^[A-Za-z0-9+\/]{86}==$/D');
        $signature = Base64::decode($encoded) ?? throw self::badField('signature_b64');
        // Unknown keys beside these are signed by nobody, and dropped here.
        return new self($sender, $recipient, $timestampMs, $nonceHex, $payload, $signature, $line);
    }

    /**
     * Prove that the owner of the key sent this to us at about this time. Ask the sender's {@see ReplayWindow} next,
     * and act only when the new window is on disk.
     *
     * @param string $publicKey raw 32-byte key of the contact
     * @param string $me our own peer id
     * @param int|null $nowMs Unix time in milliseconds; now by default
     * @param int $maxSkewMs accepted difference of clocks in milliseconds, either way
     * @param string|null $contact id of the contact whose key it is, if that has rotated its key; by default that of
     *     the key
     * @throws P4Exception in this order: `wrong-sender`, `wrong-recipient`, `bad-time`, `bad-signature`
     */
    public function verify(
        string $publicKey,
        string $me,
        ?int $nowMs = null,
        int $maxSkewMs = ReplayWindow::MAX_SKEW_MS,
        ?string $contact = null,
    ): VerifiedEnvelope {
        if (($contact ?? Keys::peerId($publicKey)) !== $this->sender) {
            throw self::refusal('wrong-sender', 'The envelope names another sender than the key belongs to.');
        }
        if ($this->recipient !== $me) {
            throw self::refusal('wrong-recipient', 'The envelope is addressed to somebody else.');
        }
        if (abs(($nowMs ?? self::now()) - $this->timestampMs) > $maxSkewMs) {
            $message = "The sender's clock and ours differ too much. Correct the clock that is wrong.";
            throw self::refusal('bad-time', $message);
        }
        if (!Engines::current()->isSigned($this, $publicKey)) {
            throw self::refusal('bad-signature', "The signature is not the sender's.");
        }
        return new VerifiedEnvelope($this->sender, $this->timestampMs, $this->nonceHex, $this->payload);
    }

    private static function field(JsonObject $fields, string $key): mixed
    {
        if (!$fields->has($key)) {
            throw self::refusal('missing-field', "The envelope has no $key.");
        }
        return $fields[$key];
    }

    private static function integer(JsonObject $fields, string $key, int $least): int
    {
        $value = self::field($fields, $key);
        return is_int($value) && $value >= $least ? $value : throw self::badField($key);
    }

    private static function text(JsonObject $fields, string $key, string $pattern): string
    {
        $value = self::field($fields, $key);
        return is_string($value) && preg_match($pattern, $value) === 1 ? $value : throw self::badField($key);
    }

    private static function badField(string $key): P4Exception
    {
        return self::refusal('bad-field', "The $key of the envelope has the wrong form.");
    }

    private static function refusal(string $code, string $message): P4Exception
    {
        return new P4Exception($code, $message, 'EnvelopeError');
    }

    private static function now(): int
    {
        return (int) (microtime(true) * 1000);
    }
}
