<?php

declare(strict_types=1);

namespace P4\Core;

/** Envelopes by PHP's sodium extension. */
final class SodiumEngine implements Engine
{
    public function newSeed(): string
    {
        return random_bytes(SODIUM_CRYPTO_SIGN_SEEDBYTES);
    }

    public function isUsableKey(string $publicKey): bool
    {
        return Keys::isPointOfUse($publicKey);
    }

    public function seal(
        Identity $sender,
        string $recipient,
        JsonObject $payload,
        int $timestampMs,
        string $nonceHex,
    ): string {
        $signed = self::signedText($sender->peerId, $recipient, $timestampMs, $nonceHex, $payload);
        $signature = base64_encode($sender->sign($signed));
        // The signature's key comes between the others, which are one sorted text: it is written once.
        $end = (int) strrpos($signed, ',"timestamp_ms":');
        return substr($signed, 0, $end) . ",\"signature_b64\":\"$signature\"" . substr($signed, $end);
    }

    public function isSigned(Envelope $envelope, string $publicKey): bool
    {
        $signed = self::signedText(
            $envelope->sender,
            $envelope->recipient,
            $envelope->timestampMs,
            $envelope->nonceHex,
            $envelope->payload,
        );
        return Keys::verify($publicKey, $envelope->signature, $signed);
    }

    /** What a signature is over (spec/envelope.md, "Signature"). */
    private static function signedText(
        string $sender,
        string $recipient,
        int $timestampMs,
        string $nonceHex,
        JsonObject $payload,
    ): string {
        return CanonicalJson::write(new JsonObject([
            'protocol_version' => Envelope::VERSION,
            'sender_peer_id' => $sender,
            'recipient_peer_id' => $recipient,
            'timestamp_ms' => $timestampMs,
            'nonce' => $nonceHex,
            'payload' => $payload,
        ]));
    }
}
