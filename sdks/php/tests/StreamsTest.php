<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Tasks;
use PHPUnit\Framework\TestCase;

/** Streams and datagrams between two real daemons. */
final class StreamsTest extends TestCase
{
    use Refusals;
    use TwoDevices;

    public function testStreamsBothWays(): void
    {
        $out = $this->laptop->contact('phone')->stream('films', 'film.mkv');
        $incoming = $this->phone->nextStream('films', timeoutSeconds: 30);
        self::assertSame(['film.mkv', 'laptop'], [$incoming->name, $incoming->contact->name]);
        $data = random_bytes(6_000_000); // more than is sent ahead
        $source = fopen('php://temp', 'w+');
        fwrite($source, $data);
        rewind($source);
        $target = fopen('php://temp', 'w+');
        Tasks::all(
            function () use ($out, $source): void {
                $out->copyFrom($source);
                $out->flush();
                self::assertSame(6_000_000, $out->stored());
                $out->closeWriting();
                $out->waitConfirmed();
            },
            fn () => $incoming->copyTo($target),
        );
        self::assertTrue(stream_get_contents($target, offset: 0) === $data);
        self::assertSame([6_000_000, 6_000_000], [$out->confirmed(), $incoming->position()]);
        $this->assertRefused('ended', fn () => $out->write('more'));
        $this->assertRefused('timeout', fn () => $out->read(timeoutSeconds: 0.1));
        $incoming->write('abcdef');
        $incoming->closeWriting();
        self::assertSame('abcd', $out->read(4, 10));
        self::assertSame(['ef'], iterator_to_array($out, false));
        $out->waitDone(30);
        $incoming->waitDone(30);
        $this->assertRefused('over', fn () => $out->reopen());
    }

    public function testAStreamThatIsResetSaysWhy(): void
    {
        $out = $this->laptop->contact('phone')->stream('films', 'broken');
        $out->write('x');
        $this->phone->contact('laptop')->nextStream('films', 30)->reset('no space');
        self::assertSame('StreamError', $this->errorOf(fn () => $out->read(timeoutSeconds: 30))->type());
        $this->assertRefused('timeout', fn () => $this->phone->nextStream('films', timeoutSeconds: 0.2));
    }

    public function testAStreamThatIsDroppedIsLetGoOf(): void
    {
        $out = $this->laptop->contact('phone')->stream('films', 'dropped');
        $out->write('kept');
        $out->flush();
        $gone = \WeakReference::create($out);
        unset($out);
        self::assertNull($gone->get());
        $again = $this->laptop->contact('phone')->stream('films', 'dropped');
        self::assertSame(4, $again->written());
        $again->close();
    }

    public function testDatagrams(): void
    {
        [$mine, $theirs] = [$this->laptop->datagrams('game'), $this->phone->datagrams('game')];
        $found = null;
        for ($attempt = 0; $found === null && $attempt < 100; $attempt++) {
            $mine->send('phone', "\7");
            $found = $theirs->next(0.1);
        }
        self::assertSame(['laptop', "\7"], [$found?->contact->name, $found?->data]);
        $mine->send('phone', str_repeat('x', 5000));
        self::assertNotSame('connection-lost', $this->errorOf(fn () => $mine->next(10))->code());
        $theirs->close();
        while ($theirs->next(1) !== null) {
            // what came before
        }
        $this->assertRefused('closed', fn () => $theirs->send('laptop', 'x'));
    }
}
