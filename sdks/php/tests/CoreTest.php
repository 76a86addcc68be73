<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Core\CanonicalJson;
use P4\Core\Engines;
use P4\Core\Envelope;
use P4\Core\Identity;
use P4\Core\Invite;
use P4\Core\JsonObject;
use P4\Core\JsonReader;
use P4\Core\Keys;
use P4\Core\NativeEngine;
use P4\Core\ReplayWindow;
use P4\P4Exception;
use PHPUnit\Framework\TestCase;

/** Identities, envelopes and JSON beyond the shared vectors: what is PHP's own to get wrong. */
final class CoreTest extends TestCase
{
    protected function tearDown(): void
    {
        Engines::use(null);
    }

    public function testWhatIsSealedVerifiesWithEitherEngine(): void
    {
        $payload = ['z' => [1.5, 'é😀', null], 'timestamp_ms' => 1, ',"timestamp_ms":' => true, '1' => new \stdClass()];
        foreach (Repository::engines() as $sealing) {
            foreach (Repository::engines() as $verifying) {
                Engines::use($sealing);
                $identity = Identity::generate();
                $me = Identity::generate()->peerId;
                $line = Envelope::seal($identity, $me, $payload);
                Engines::use($verifying);
                self::assertSame($line, CanonicalJson::write(JsonReader::object($line)));
                $verified = Envelope::parse($line)->verify($identity->publicKey, $me);
                self::assertSame(CanonicalJson::write($payload), CanonicalJson::write($verified->payload));
                $this->assertRefused('bad-signature', function () use ($line, $identity, $me): void {
                    Envelope::parse(str_replace('1.5', '2.5', $line))->verify($identity->publicKey, $me);
                });
                $other = Identity::generate();
                $this->assertRefused('bad-signature', function () use ($line, $identity, $me, $other): void {
                    Envelope::parse($line)->verify($other->publicKey, $me, contact: $identity->peerId);
                });
            }
        }
    }

    public function testARotatedKeyProvesForTheOldId(): void
    {
        [$old, $new, $me] = [Identity::generate(), Identity::generate(), Identity::generate()->peerId];
        $line = Envelope::seal($new, $me, ['a' => 1]);
        $renamed = str_replace($new->peerId, $old->peerId, $line);
        $this->assertRefused('bad-signature', function () use ($renamed, $new, $me, $old): void {
            Envelope::parse($renamed)->verify($new->publicKey, $me, contact: $old->peerId);
        });
        self::assertSame($new->peerId, Envelope::parse($line)->verify($new->publicKey, $me)->sender);
    }

    public function testNumbersAreWrittenAsEcmascriptDoes(): void
    {
        $forms = [
            [5.684341886080801e-14, '5.684341886080801e-14'], // a power of two, whose neighbours are uneven
            [0.000001, '0.000001'],
            [1e-7, '1e-7'],
            [1.25e-10, '1.25e-10'],
            [-0.0, '0'],
            [100.0, '100'],
            [100.5, '100.5'],
            [-333333333.33333329, '-333333333.3333333'],
            [4.5e-300, '4.5e-300'],
            [5e-324, '5e-324'],
            [0.1 + 0.2, '0.30000000000000004'],
            [9007199254740991, '9007199254740991'],
        ];
        $settings = [ini_set('precision', '3'), ini_set('serialize_precision', '3')];
        try {
            foreach ($forms as [$number, $form]) {
                self::assertSame($form, CanonicalJson::write($number));
            }
        } finally {
            ini_set('precision', (string) $settings[0]);
            ini_set('serialize_precision', (string) $settings[1]);
        }
        foreach ([NAN, INF, -INF, 1e16, 9007199254740992, PHP_INT_MIN] as $number) {
            $this->assertRefused('bad-number', fn () => CanonicalJson::write($number));
        }
    }

    public function testRandomFloatsComeBackAsTheyWere(): void
    {
        mt_srand(7);
        for ($count = 0; $count < 2000; $count++) {
            $float = mt_rand() / (mt_rand() + 1) * 10 ** mt_rand(-12, 5);
            self::assertSame($float, (float) CanonicalJson::write($float));
        }
    }

    public function testObjectsKeepWhatPhpArraysLose(): void
    {
        $text = '{"":1,"0":{},"00":[],"1":[{}],"\u0000a":2,"-0":3,"__proto__":4}';
        $object = JsonReader::object($text);
        self::assertSame(['', '0', '00', '1', "\0a", '-0', '__proto__'], $object->keys());
        self::assertInstanceOf(JsonObject::class, $object['0']);
        self::assertSame(2, $object["\0a"]);
        self::assertSame('{"":1,"\u0000a":2,"-0":3,"0":{},"00":[],"1":[{}],"__proto__":4}', CanonicalJson::write($object));
        self::assertSame('[]', CanonicalJson::write([]));
        self::assertSame('{"1":0}', CanonicalJson::write([1 => 0]));
        self::assertSame('{}', json_encode($object['0']));
        $this->assertRefused('not-json', fn () => CanonicalJson::write([fopen('php://memory', 'r')]));
        $this->assertRefused('not-json', fn () => CanonicalJson::write(new \ArrayObject()));
        $this->assertRefused('bad-string', fn () => CanonicalJson::write("\xED\xA0\x80"));
        $this->assertRefused('bad-string', fn () => CanonicalJson::write(["\xff" => 1]));
    }

    public function testKeysSortAsUtf16(): void
    {
        $keys = ["\u{FFFF}", "\u{E000}", "\u{10000}", "\u{10FFFF}", "\u{D7FF}", 'z', '10', '9', "\u{1F600}a", "\u{1F600}"];
        $sorted = $keys;
        $utf16 = static fn (string $key): string => (string) iconv('UTF-8', 'UTF-16BE', $key);
        usort($sorted, static fn (string $one, string $other): int => strcmp($utf16($one), $utf16($other)));
        $written = JsonReader::object(CanonicalJson::write(array_fill_keys($keys, null)));
        self::assertSame($sorted, $written->keys());
    }

    public function testLongStringsNeedNoStack(): void
    {
        $long = str_repeat('\\n', 500_000) . str_repeat('é', 500_000);
        $value = JsonReader::value("\"$long\"");
        self::assertSame(1_500_000, strlen($value));
        $this->assertRefused('not-json', fn () => JsonReader::value("\"$long"));
    }

    public function testAPointWithAnotherComponentIsUsable(): void
    {
        // Some points of the curve, and every second y that is none, decided by another library than this code.
        $signs = 0;
        for ($y = 2; $y < 40; $y++) {
            $key = chr($y) . str_repeat("\0", 31);
            $usable = Keys::isPointOfUse($key);
            $signs += (int) $usable;
            foreach (Repository::engines() as $engine) {
                self::assertSame($usable, $engine->isUsableKey($key), "y = $y");
            }
            try {
                sodium_crypto_sign_ed25519_pk_to_curve25519($key);
                self::assertTrue($usable, "y = $y is even of the main subgroup");
            } catch (\SodiumException) {
                // of no or of another subgroup
            }
        }
        self::assertGreaterThan(5, $signs);
        self::assertLessThan(33, $signs);
        self::assertFalse(Keys::isUsable('short'));
    }

    public function testAnIdentityIsNotTold(): void
    {
        $identity = new Identity(str_repeat('s', 32));
        self::assertStringNotContainsString('sss', print_r($identity, true));
        self::assertSame(str_repeat('s', 32), $identity->seed());
        $this->expectException(\LogicException::class);
        serialize($identity);
    }

    public function testArgumentsOfTheWrongForm(): void
    {
        $me = Identity::generate();
        $wrong = [
            fn () => new Identity('short'),
            fn () => Envelope::seal($me, 'nobody', []),
            fn () => Envelope::seal($me, "$me->peerId\n", []),
            fn () => Envelope::seal($me, $me->peerId, [], nonce: 'short'),
            fn () => Envelope::seal($me, $me->peerId, [], timestampMs: -1),
            fn () => Envelope::seal($me, $me->peerId, ['long' => str_repeat('x', 65_500)]),
        ];
        foreach ($wrong as $run) {
            try {
                $run();
                self::fail('accepted');
            } catch (\InvalidArgumentException) {
                $this->addToAssertionCount(1);
            }
        }
        $this->assertRefused('bad-port', fn () => new Invite($me->publicKey, 'direct', 'example.org', 0));
        $this->assertRefused('bad-field', fn () => ReplayWindow::fromJson('{"floor_ms":0}'));
        $this->assertRefused('no-native-library', fn () => NativeEngine::load('/nowhere/libp4_core.so'));
    }

    private function assertRefused(string $code, callable $run): void
    {
        try {
            $run();
            self::fail("not refused with $code");
        } catch (P4Exception $error) {
            self::assertSame($code, $error->code());
        }
    }
}
