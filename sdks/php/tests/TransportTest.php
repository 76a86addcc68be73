<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Tasks;
use P4\Transport\ConnectionBroken;
use P4\Transport\EventParser;
use P4\Transport\Frame;
use P4\Transport\FrameReader;
use P4\Transport\HttpExchange;
use P4\Transport\Loop;
use P4\Transport\NotSent;
use P4\Transport\ProtocolError;
use P4\Transport\Refused;
use P4\Transport\Socket;
use P4\Transport\TimedOut;
use P4\Transport\WebSocket;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/** HTTP, WebSockets and server-sent events by the byte, against servers that break their rules. */
final class TransportTest extends TestCase
{
    public function testServerSentEventsAreReadWhateverWayTheyAreCut(): void
    {
        $text = "event: message\r\ndata: {\"é\":\ndata: 1}\n\n: ping\n\ndata:x\n\nevent: cut\ndata: off\n";
        foreach ([1, 2, 3, 7, 1000] as $size) {
            $parser = new EventParser();
            $events = [];
            foreach (str_split($text, $size) as $piece) {
                $events = [...$events, ...$parser->push($piece)];
            }
            self::assertSame([['message', "{\"é\":\n1}"], ['message', 'x']], $events);
        }
    }

    public function testFramesComeBackAsTheyWereSent(): void
    {
        foreach ([0, 1, 125, 126, 65535, 65536, 200_000] as $length) {
            $payload = $length === 0 ? '' : random_bytes($length);
            $encoded = (new Frame(Frame::BINARY, $payload))->encoded("\1\2\3\4");
            self::assertSame(0x80, ord($encoded[1]) & 0x80, 'a client masks');
            $reader = new FrameReader();
            foreach (str_split(self::frame(Frame::BINARY, $payload), 4099) as $piece) {
                self::assertNull($reader->next());
                $reader->push($piece);
            }
            self::assertSame($payload, $reader->next()?->payload);
            $head = $length < 126 ? 2 : ($length < 65536 ? 4 : 10);
            $mask = substr($encoded, $head, 4);
            $masked = substr($encoded, $head + 4);
            self::assertSame($payload, $masked ^ str_pad('', $length, $mask));
        }
    }

    public function testMessagesInPiecesAndControlBetween(): void
    {
        $reader = new FrameReader();
        $reader->push(self::frame(Frame::TEXT, "caf\xC3", false) . self::frame(Frame::PING, 'hi'));
        $reader->push(self::frame(Frame::CONTINUATION, '', false) . self::frame(Frame::CONTINUATION, "\xA9"));
        self::assertEquals(new Frame(Frame::PING, 'hi'), $reader->next());
        self::assertEquals(new Frame(Frame::TEXT, 'café'), $reader->next());
        self::assertNull($reader->next());
    }

    /** @return iterable<string, array{string, int}> */
    public static function forbidden(): iterable
    {
        yield 'a mask' => [(new Frame(Frame::TEXT, 'x'))->encoded('abcd'), 1002];
        yield 'a reserved bit' => ["\xC1\x00", 1002];
        yield 'an unknown opcode' => ["\x83\x00", 1002];
        yield 'an unknown opcode of control' => ["\x8B\x00", 1002];
        yield 'a ping in pieces' => ["\x09\x00", 1002];
        yield 'a long ping' => ["\x89\x7E\x00\x7E", 1002];
        yield 'a continuation of nothing' => ["\x80\x00", 1002];
        yield 'a message within a message' => ["\x01\x00\x81\x00", 1002];
        yield 'a length of 2 bytes that needs none' => ["\x82\x7E\x00\x7D", 1002];
        yield 'a length of 8 bytes that needs 2' => ["\x82\x7F\0\0\0\0\0\0\xFF\xFF", 1002];
        yield 'a length of 64 bits' => ["\x82\x7F\x80\0\0\0\0\0\0\0", 1002];
        yield 'a text that is no UTF-8' => ["\x81\x01\xFF", 1007];
        yield 'a frame that is too large' => ["\x82\x7E\x04\x01", 1009];
        yield 'a message that is too large' => ["\x02\x7E\x04\x00" . str_repeat('x', 1024) . "\x80\x01x", 1009];
    }

    /** @dataProvider forbidden */
    #[DataProvider('forbidden')]
    public function testWhatRfc6455ForbidsIsRefused(string $bytes, int $code): void
    {
        $reader = new FrameReader(1024);
        $reader->push($bytes);
        try {
            $reader->next();
            self::fail('accepted');
        } catch (ProtocolError $error) {
            self::assertSame($code, $error->closeCode);
        }
    }

    public function testAWebSocketAnswersPingsAndCloses(): void
    {
        [$ours, $theirs] = self::ends();
        $socket = $this->handshake($ours, $theirs, '', self::frame(Frame::PING, 'you') . self::frame(Frame::TEXT, 'é'));
        self::assertSame('é', $socket->receive()?->payload);
        self::assertEquals(new Frame(Frame::PONG, 'you'), self::unmasked((string) fread($theirs, 100)));
        $socket->send('abc', true);
        self::assertEquals(new Frame(Frame::BINARY, 'abc'), self::unmasked((string) fread($theirs, 100)));
        try {
            $socket->receive(Loop::now() + 0.05);
            self::fail('something came');
        } catch (TimedOut) {
            fwrite($theirs, self::frame(Frame::CLOSE, pack('n', 1001) . 'bye'));
        }
        self::assertNull($socket->receive());
        self::assertEquals(new Frame(Frame::CLOSE, pack('n', 1001)), self::unmasked((string) fread($theirs, 100)));
        $this->expectException(ConnectionBroken::class);
        $socket->send('late', false);
    }

    public function testAWebSocketThatIsBrokenIsClosedWithTheReason(): void
    {
        $cases = ["\x81\x01\xFF" => 1007, "\x88\x01x" => 1002, "\x88\x02\x03\xED" => 1002, "\x88\x03\x03\xE8\xFF" => 1002];
        foreach ($cases as $bytes => $code) {
            [$ours, $theirs] = self::ends();
            $socket = $this->handshake($ours, $theirs, '', $bytes);
            self::assertNull($socket->receive());
            self::assertEquals(new Frame(Frame::CLOSE, pack('n', $code)), self::unmasked((string) fread($theirs, 100)));
        }
    }

    public function testAHandshakeHasToBeRight(): void
    {
        foreach (['Sec-WebSocket-Extensions: permessage-deflate', 'Sec-WebSocket-Protocol: x'] as $header) {
            [$ours, $theirs] = self::ends();
            try {
                $this->handshake($ours, $theirs, "$header\r\n", '');
                self::fail('accepted');
            } catch (ConnectionBroken) {
                $this->addToAssertionCount(1);
            }
        }
        $wrong = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";
        $other = "HTTP/1.1 403 x\r\nContent-Length: 2\r\n\r\nno";
        foreach ([$wrong => ConnectionBroken::class, $other => Refused::class] as $answer => $class) {
            [$ours, $theirs] = self::ends();
            fwrite($theirs, $answer);
            try {
                WebSocket::open(Socket::over($ours), '/', ['Host' => 'p4'], Loop::now() + 5);
                self::fail('accepted');
            } catch (ConnectionBroken | Refused $error) {
                self::assertInstanceOf($class, $error);
            }
        }
    }

    /** @return iterable<string, array{string, string, bool}> */
    public static function answers(): iterable
    {
        yield 'a length' => ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 'abc', true];
        $chunks = "2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n";
        yield 'chunks' => ["HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n$chunks", 'abc', true];
        yield 'an end' => ["HTTP/1.1 200 OK\r\n\r\nabc", 'abc', false];
        yield 'a close' => ["HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", 'abc', false];
        yield 'nothing' => ["HTTP/1.1 204 No Content\r\n\r\n", '', true];
        yield 'a prelude' => ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", '', true];
        yield 'more than was asked' => ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", 'a', false];
    }

    /** @dataProvider answers */
    #[DataProvider('answers')]
    public function testAnswersAreReadWhateverWayTheyAreCut(string $answer, string $body, bool $reusable): void
    {
        foreach ([1, 5, 1000] as $size) {
            [$ours, $theirs] = self::ends();
            $exchange = new HttpExchange(Socket::over($ours));
            Tasks::all(
                static function () use ($exchange, $body): void {
                    $exchange->begin('GET', '/', ['Host' => 'p4'], '', Loop::now() + 10);
                    self::assertSame($body, $exchange->body(Loop::now() + 10));
                },
                static function () use ($theirs, $answer, $size): void {
                    foreach (str_split($answer, $size) as $piece) {
                        fwrite($theirs, $piece);
                        Tasks::sleep(0);
                    }
                    stream_socket_shutdown($theirs, STREAM_SHUT_WR);
                },
            );
            if ($size === 1000) { // what comes later is noticed before the next request
                self::assertSame($reusable, $exchange->isReusable());
            }
            self::assertSame("GET / HTTP/1.1\r\nHost: p4\r\n\r\n", fread($theirs, 1000));
        }
    }

    /** @return iterable<string, array{string}> */
    public static function brokenAnswers(): iterable
    {
        yield 'nothing' => [''];
        yield 'half a head' => ["HTTP/1.1 200 OK\r\nContent-"];
        yield 'another protocol' => ["SSH-2.0-x\r\n\r\n"];
        yield 'a name with a space' => ["HTTP/1.1 200 OK\r\nContent Length: 1\r\n\r\nx"];
        yield 'a length that is none' => ["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"];
        yield 'half a body' => ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"];
        yield 'half a chunk' => ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"];
        yield 'no last chunk' => ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"];
        yield 'a chunk that is none' => ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n"];
        yield 'a chunk that does not end' => ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc"];
    }

    /** @dataProvider brokenAnswers */
    #[DataProvider('brokenAnswers')]
    public function testBrokenAnswersAreTold(string $answer): void
    {
        [$ours, $theirs] = self::ends();
        fwrite($theirs, $answer);
        stream_socket_shutdown($theirs, STREAM_SHUT_WR);
        $exchange = new HttpExchange(Socket::over($ours));
        $this->expectException(ConnectionBroken::class);
        $exchange->begin('GET', '/', [], '', Loop::now() + 5);
        $exchange->body(Loop::now() + 5);
    }

    public function testTasksGoOnWhileOthersWait(): void
    {
        $order = [];
        $results = Tasks::all(
            slow: static function () use (&$order): string {
                Tasks::sleep(0.05);
                $order[] = 'slow';
                return 'a';
            },
            fast: static function () use (&$order): string {
                Tasks::sleep(0.01);
                $order[] = 'fast';
                return 'b';
            },
        );
        self::assertSame([['fast', 'slow'], ['slow' => 'a', 'fast' => 'b']], [$order, $results]);
        [$ours, $theirs] = self::ends();
        fwrite($theirs, "one\r\ntwo\nth");
        $lines = Tasks::lines($ours);
        self::assertSame('one', $lines->current());
        fwrite($theirs, 'ree');
        fclose($theirs);
        self::assertSame(['one', 'two', 'three'], iterator_to_array($lines, false));
        $cleaned = false;
        try {
            Tasks::all(
                static function () use (&$cleaned): void {
                    try {
                        Loop::sleep(1000);
                    } finally {
                        $cleaned = true;
                    }
                },
                static fn () => throw new \RuntimeException('broken'),
            );
            self::fail('nothing was thrown');
        } catch (\RuntimeException $error) {
            self::assertSame([true, 'broken'], [$cleaned, $error->getMessage()]);
        }
    }

    public function testWhatIsClosedIsWaitedForNoMore(): void
    {
        [$ours, $theirs] = self::ends();
        $socket = Socket::over($ours);
        Loop::start(static function () use ($socket): void {
            Tasks::sleep(0.01);
            $socket->close();
        });
        self::assertSame('', $socket->read(Loop::now() + 5));
        self::assertTrue($socket->isClosed());
        self::assertSame('', fread($theirs, 1));
    }

    public function testAWaitThatNothingCanEndIsABug(): void
    {
        $this->expectException(\LogicException::class);
        Loop::wait(null);
    }

    public function testWhoIsNotThereWasSentNothing(): void
    {
        $this->expectException(NotSent::class);
        Socket::connect('unix:///nowhere/socket');
    }

    /** @return array{resource, resource} both ends of a connection */
    private static function ends(): array
    {
        $family = PHP_OS_FAMILY === 'Windows' ? STREAM_PF_INET : STREAM_PF_UNIX;
        $ends = stream_socket_pair($family, STREAM_SOCK_STREAM, 0);
        stream_set_blocking($ends[1], false);
        return $ends;
    }

    /**
     * @param resource $ours
     * @param resource $theirs
     */
    private function handshake(mixed $ours, mixed $theirs, string $header, string $then): WebSocket
    {
        $opened = Tasks::all(
            static fn () => WebSocket::open(Socket::over($ours), '/x', ['Host' => 'p4'], Loop::now() + 5),
            static function () use ($theirs, $header, $then): void {
                Loop::wait($theirs);
                preg_match('/Sec-WebSocket-Key: (\S+)/', (string) fread($theirs, 4096), $found);
                $accept = base64_encode(sha1("$found[1]258EAFA5-E914-47DA-95CA-C5AB0DC85B11", true));
                fwrite($theirs, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
                    . "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: $accept\r\n$header\r\n$then");
            },
        );
        return $opened[0];
    }

    /** As a server writes it. */
    private static function frame(int $opcode, string $payload, bool $final = true): string
    {
        $length = strlen($payload);
        return chr(($final ? 0x80 : 0) | $opcode) . match (true) {
            $length < 126 => chr($length),
            $length < 65536 => pack('Cn', 126, $length),
            default => pack('CJ', 127, $length),
        } . $payload;
    }

    /** What a client wrote, of at most 125 bytes. */
    private static function unmasked(string $bytes): Frame
    {
        $payload = substr($bytes, 6) ^ str_pad('', strlen($bytes) - 6, substr($bytes, 2, 4));
        return new Frame(ord($bytes[0]) & 0x0F, $payload, (ord($bytes[0]) & 0x80) !== 0);
    }
}
