<?php

declare(strict_types=1);

namespace P4\Conformance;

use P4\Core\Base64;
use P4\Core\CanonicalJson;
use P4\Core\Envelope;
use P4\Core\Identity;
use P4\Core\Invite;
use P4\Core\JsonReader;
use P4\Core\Keys;
use P4\Core\ReplayWindow;
use P4\P4Exception;

/** L2: without a daemon. */
final class Core
{
    /** @return array<string, \Closure(object): array<string, mixed>> */
    public function operations(): array
    {
        return [
            'identity.derive' => fn (object $given) => self::known(new Identity(Keys::decode($given->seed_b64))),
            'identity.generate' => static function (): array {
                $identity = Identity::generate();
                return ['seed_b64' => Keys::encode($identity->seed())] + self::known($identity);
            },
            'identity.key' => fn (object $given) => ['peer_id' => Keys::peerId(self::key($given->public_key_b64))],
            'identity.sign' => static function (object $given): array {
                $identity = new Identity(Keys::decode($given->seed_b64));
                return ['signature_b64' => base64_encode($identity->sign((string) hex2bin($given->message_hex)))];
            },
            'identity.verify' => static function (object $given): array {
                $signature = (string) Base64::decode($given->signature_b64);
                $key = Keys::decode($given->public_key_b64);
                return Keys::verify($key, $signature, (string) hex2bin($given->message_hex))
                    ? []
                    : throw new P4Exception('bad-signature', 'The signature is not that of the key.');
            },
            'canonical.parse' => static fn (object $given) => [
                'canonical' => CanonicalJson::write(JsonReader::object((string) Base64::decode($given->bytes_b64))),
            ],
            'envelope.verify' => $this->verify(...),
            'envelope.seal' => static function (object $given): array {
                $identity = new Identity(Keys::decode($given->seed_b64));
                $nonce = (string) hex2bin($given->nonce_hex);
                $line = Envelope::seal($identity, $given->recipient, $given->payload, $given->now_ms, $nonce);
                return ['line_b64' => base64_encode($line)];
            },
            'replay.steps' => $this->replay(...),
            'invite.parse' => static function (object $given): array {
                $invite = Invite::parse((string) Base64::decode($given->bytes_b64));
                $members = $invite->jsonSerialize();
                $rendezvous = $members['rendezvous'];
                unset($members['rendezvous']);
                return $members + $rendezvous;
            },
            'invite.write' => static function (object $given): array {
                $key = Keys::decode($given->public_key_b64);
                return ['text' => (new Invite($key, $given->transport, $given->address, $given->port))->toText()];
            },
        ];
    }

    /** @return array<string, string> */
    private static function known(Identity $identity): array
    {
        return ['public_key_b64' => Keys::encode($identity->publicKey), 'peer_id' => $identity->peerId];
    }

    private static function key(string $text): string
    {
        $key = Keys::decode($text);
        return Keys::isUsable($key) ? $key : throw new P4Exception('bad-key', 'The key can prove nothing.');
    }

    /** @return array<string, mixed> */
    private function verify(object $given): array
    {
        $envelope = Envelope::parse((string) Base64::decode($given->line_b64));
        $key = Keys::decode($given->public_key_b64);
        $verified = $envelope->verify($key, $given->me, $given->now_ms, $given->max_skew_ms);
        return [
            'sender' => $verified->sender,
            'timestamp_ms' => $verified->timestampMs,
            'nonce_hex' => $verified->nonceHex,
            'payload' => $verified->payload,
        ];
    }

    /** @return array<string, int> */
    private function replay(object $given): array
    {
        $window = new ReplayWindow(capacity: $given->capacity);
        foreach ($given->steps as $step) {
            $window = match (true) {
                isset($step->restart) => ReplayWindow::fromJson(json_encode($window, JSON_THROW_ON_ERROR)),
                isset($step->prune_now_ms) => $window->prune($step->prune_now_ms),
                default => $window->accept($step->nonce_hex, $step->timestamp_ms),
            };
        }
        return ['floor_ms' => $window->floorMs, 'entries' => count($window->entries)];
    }
}
