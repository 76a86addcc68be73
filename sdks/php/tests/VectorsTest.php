<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Core\Base64;
use P4\Core\CanonicalJson;
use P4\Core\Engine;
use P4\Core\Engines;
use P4\Core\Envelope;
use P4\Core\Identity;
use P4\Core\Invite;
use P4\Core\JsonReader;
use P4\Core\Keys;
use P4\Core\ReplayWindow;
use P4\P4Exception;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/** Every file of vectors/ that this package implements: the layer, the code and the value must be as it says. */
final class VectorsTest extends TestCase
{
    private const ROOT = Repository::ROOT . '/vectors';
    /** Kinds of other parts of the project. A kind that is in neither list is a failure. */
    private const ELSEWHERE = ['binding', 'chat', 'files', 'frame', 'lan', 'pairing', 'punch', 'rotation', 'sealed',
        'session', 'signaling', 'veiled', 'verification', 'x25519'];
    private const JSON_CODES = ['not-utf8', 'not-json', 'not-object', 'duplicate-key', 'bad-number', 'bad-string',
        'too-deep'];
    private const INPUTS = [
        'identity derive' => ['seed_b64'],
        'identity key' => ['public_key_b64'],
        'identity verify' => ['message_hex', 'public_key_b64', 'signature_b64'],
        'canonical parse' => ['bytes'],
        'envelope verify' => ['line', 'max_skew_ms', 'me', 'now_ms', 'public_key_b64'],
        'replay steps' => ['capacity', 'steps'],
        'invite parse' => ['bytes'],
    ];
    private const KEYS = ['kind', 'operation', 'comment', 'input', 'expect', 'v1_deviates', 'v1_looser'];

    protected function tearDown(): void
    {
        Engines::use(null);
    }

    /** @return iterable<string, array{Engine, string, string}> */
    public static function vectors(): iterable
    {
        foreach (Repository::engines() as $name => $engine) {
            foreach (self::kinds() as $kind => $paths) {
                foreach (self::isImplemented($kind) ? $paths : [] as $path) {
                    yield "$kind/" . basename($path) . ", $name" => [$engine, $kind, $path];
                }
            }
        }
    }

    /** @dataProvider vectors */
    #[DataProvider('vectors')]
    public function testVector(Engine $engine, string $kind, string $path): void
    {
        Engines::use($engine);
        $vector = json_decode((string) file_get_contents($path), true, 512, JSON_THROW_ON_ERROR);
        self::assertSame([], array_diff(array_keys($vector), self::KEYS));
        self::assertSame($kind, $vector['kind']);
        $operation = "$kind $vector[operation]";
        self::assertArrayHasKey($operation, self::INPUTS, 'an operation that nobody knows');
        $input = $vector['input'];
        ksort($input);
        self::assertSame(self::INPUTS[$operation], array_keys($input));
        $expected = $vector['expect'];
        self::assertSame([], array_diff(array_keys($expected), ['layer', 'code', 'value']));
        self::assertSame($expected['code'] === 'ok', array_key_exists('value', $expected));
        [$layer, $code, $value] = self::outcome($operation, $input) + [2 => null];
        self::assertSame([$expected['layer'], $expected['code']], [$layer, $code]);
        if ($code === 'ok') {
            self::assertEquals($expected['value'], $value);
        }
    }

    public function testEveryKindIsSomebodys(): void
    {
        foreach (array_keys(self::kinds()) as $kind) {
            $known = self::isImplemented($kind) || in_array($kind, self::ELSEWHERE, true);
            self::assertTrue($known, "no runner knows the kind $kind");
        }
    }

    /**
     * @param array<string, mixed> $input
     * @return array{0: string, 1: string, 2?: mixed}
     */
    private static function outcome(string $operation, array $input): array
    {
        return match ($operation) {
            'identity derive' => self::derive($input),
            'identity key' => self::key($input),
            'identity verify' => self::signature($input),
            'canonical parse' => self::canonical($input),
            'envelope verify' => self::envelope($input),
            'replay steps' => self::replay($input),
            default => self::invite($input),
        };
    }

    private static function derive(array $input): array
    {
        $identity = new Identity(Keys::decode($input['seed_b64']));
        self::assertSame($input['seed_b64'], $identity->seedText());
        $value = ['public_key_b64' => Keys::encode($identity->publicKey), 'peer_id' => $identity->peerId];
        return ['identity', 'ok', $value];
    }

    private static function key(array $input): array
    {
        $code = self::codeOf(function () use ($input, &$key): void {
            $key = Keys::decode($input['public_key_b64']);
        });
        if ($code !== 'ok' || !Keys::isUsable($key)) {
            return ['identity', 'bad-key'];
        }
        return ['identity', 'ok', ['peer_id' => Keys::peerId($key)]];
    }

    private static function signature(array $input): array
    {
        $key = Keys::decode($input['public_key_b64']);
        $signature = (string) Base64::decode($input['signature_b64']);
        $good = Keys::verify($key, $signature, (string) hex2bin($input['message_hex']));
        return $good ? ['identity', 'ok', []] : ['identity', 'bad-signature'];
    }

    private static function canonical(array $input): array
    {
        $canonical = '';
        $code = self::codeOf(function () use ($input, &$canonical): void {
            $canonical = CanonicalJson::write(JsonReader::object(self::bytes($input['bytes'])));
        });
        return ['json', $code, ['canonical' => $canonical]];
    }

    private static function envelope(array $input): array
    {
        $read = null;
        $code = self::codeOf(function () use ($input, &$read): void {
            $read = Envelope::parse(self::bytes($input['line']));
        });
        if ($code === 'too-long') {
            return ['line', $code];
        }
        if (!$read instanceof Envelope) {
            return [in_array($code, self::JSON_CODES, true) ? 'json' : 'form', $code];
        }
        $value = null;
        $code = self::codeOf(function () use ($input, $read, &$value): void {
            $key = Keys::decode($input['public_key_b64']);
            $verified = $read->verify($key, $input['me'], $input['now_ms'], $input['max_skew_ms']);
            $value = [
                'sender' => $verified->sender,
                'timestamp_ms' => $verified->timestampMs,
                'nonce_hex' => $verified->nonceHex,
                'payload' => $verified->payload->toArray(),
            ];
        });
        return ['trust', $code, $value];
    }

    private static function replay(array $input): array
    {
        $window = new ReplayWindow(capacity: $input['capacity']);
        foreach ($input['steps'] as $place => $step) {
            if (isset($step['restart'])) {
                $window = ReplayWindow::fromJson(json_encode($window, JSON_THROW_ON_ERROR));
            } elseif (isset($step['prune_now_ms'])) {
                $window = $window->prune($step['prune_now_ms']);
            } else {
                $code = self::codeOf(function () use ($step, &$window): void {
                    $window = $window->accept($step['nonce_hex'], $step['timestamp_ms']);
                });
                if ($code !== 'ok') {
                    self::assertCount($place + 1, $input['steps'], 'only the last step may be refused');
                    return ['replay', $code];
                }
            }
        }
        return ['replay', 'ok', ['floor_ms' => $window->floorMs, 'entries' => count($window->entries)]];
    }

    private static function invite(array $input): array
    {
        $invite = null;
        $code = self::codeOf(function () use ($input, &$invite): void {
            $invite = Invite::parse(self::bytes($input['bytes']));
        });
        if (in_array($code, ['too-large', 'not-utf8'], true)) {
            return ['text', $code];
        }
        if (!$invite instanceof Invite) {
            return [in_array($code, self::JSON_CODES, true) ? 'json' : 'invite', $code];
        }
        self::assertEquals($invite, Invite::parse($invite->toText()));
        $written = $invite->jsonSerialize();
        $value = $written['rendezvous'] + ['peer_id' => $written['peer_id']];
        return ['invite', 'ok', $value + ['public_key_b64' => $written['public_key_b64']]];
    }

    /** @param array{text?: string, hex?: string, zeros?: int} $given */
    private static function bytes(array $given): string
    {
        self::assertSame([], array_diff(array_keys($given), ['text', 'hex', 'zeros']));
        $bytes = $given['text'] ?? (string) hex2bin($given['hex'] ?? '');
        return $bytes . str_repeat("\0", $given['zeros'] ?? 0);
    }

    private static function codeOf(callable $run): string
    {
        try {
            $run();
            return 'ok';
        } catch (P4Exception $error) {
            return $error->code();
        }
    }

    private static function isImplemented(string $kind): bool
    {
        foreach (array_keys(self::INPUTS) as $operation) {
            if (str_starts_with($operation, "$kind ")) {
                return true;
            }
        }
        return false;
    }

    /** @return array<string, list<string>> paths by kind */
    private static function kinds(): array
    {
        $kinds = [];
        foreach (glob(self::ROOT . '/*/*.json') ?: [] as $path) {
            $kinds[basename(dirname($path))][] = $path;
        }
        return $kinds;
    }
}
