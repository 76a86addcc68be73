<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Client;
use P4\Client\Events;
use P4\Client\Stream;
use P4\P4Exception;
use P4\Tasks;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/** What a kill -9 of the daemon does to a program that uses it: nothing is lost, nothing comes twice. */
final class RestartTest extends TestCase
{
    use Refusals;

    private const COUNT = 600;

    private static ?Pair $pair = null;
    private Pair $two;
    private Client $laptop;
    private Client $phone;

    public static function setUpBeforeClass(): void
    {
        self::$pair = Pair::make();
    }

    public static function tearDownAfterClass(): void
    {
        self::$pair?->remove();
        self::$pair = null;
    }

    protected function setUp(): void
    {
        $this->two = self::$pair;
        [$this->laptop, $this->phone] = [$this->two->laptop, $this->two->phone];
    }

    /** @return iterable<string, array{bool}> */
    public static function waysToBeDone(): iterable
    {
        for ($round = 0; $round < (getenv('P4_SOAK') ? 10 : 1); $round++) {
            yield "one by one, $round" => [false];
            yield "together, $round" => [true];
        }
    }

    /** @dataProvider waysToBeDone */
    #[DataProvider('waysToBeDone')]
    public function testADaemonThatIsKilledWhileItIsReadFromLosesAndDoublesNothing(bool $together): void
    {
        $arrived = [];
        $restarts = 0;
        Tasks::all(
            function (): void {
                foreach (array_chunk(range(0, self::COUNT - 1), 20) as $values) {
                    $this->laptop->contact('phone')->sendMany($values, 'notes');
                    Tasks::sleep(0.04);
                }
            },
            function () use (&$arrived, &$restarts, $together): void {
                foreach ($this->phone->messages('notes') as $message) {
                    $arrived[] = $message->value();
                    $together ? $message->doneSoon() : $message->done();
                    if (count($arrived) === self::COUNT) {
                        break;
                    }
                }
            },
            function () use (&$arrived, &$restarts): void {
                // In the middle of what comes and of what is said to be done; again only after messages came again.
                foreach ([100, 400] as $least) {
                    while (count($arrived) < $least) {
                        Tasks::sleep(0.002);
                    }
                    $this->two->phoneDaemon->restart();
                    $restarts++;
                }
            },
        );
        self::assertSame(2, $restarts);
        self::assertSame(range(0, self::COUNT - 1), $arrived);
        // All of them are done for the daemon, too: the next message is the next one sent.
        $this->laptop->contact('phone')->send('after', 'notes');
        $next = $this->phone->messages('notes')->next(60);
        self::assertSame('after', $next?->value());
        $next->done();
    }

    public function testAServiceGoesOnAndTheFollowersOfEventsAreTold(): void
    {
        $events = $this->phone->events([Events::OPENED, 'contact.renamed']);
        self::assertSame(Events::OPENED, $events->next(10)?->kind);
        $serving = $this->phone->serve('home', fn (): string => 'here');
        self::assertSame('here', $this->laptop->contact('phone')->call('home'));
        $this->two->phoneDaemon->restart();
        self::assertSame(Events::OPENED, $events->next(30)?->kind);
        $this->phone->contact('laptop')->rename('desk');
        self::assertSame('contact.renamed', $events->next(10)?->kind);
        $this->phone->contact('desk')->rename('laptop');
        $answer = null;
        for ($attempt = 0; $answer === null && $attempt < 100; $attempt++) {
            try {
                $answer = $this->laptop->contact('phone')->call('home', deadlineSeconds: 5);
            } catch (P4Exception) {
                $serving->run(0.1);
            }
        }
        self::assertSame('here', $answer);
        $serving->close();
        $datagrams = $this->phone->datagrams('game');
        $this->two->phoneDaemon->kill();
        $this->assertRefused('connection-lost', fn () => $datagrams->next(10));
        $this->two->phoneDaemon->restart();
    }

    public function testAStreamIsTakenUpAgainByBothSidesAtTheByte(): void
    {
        $data = random_bytes(3_000_000);
        [$kept, $wanted, $restarts] = ['', 0, 0];
        $streams = Tasks::all(fn () => $this->write($data), function () use (&$kept, &$wanted, &$restarts, $data): Stream {
            $incoming = $this->phone->nextStream('films');
            while ($incoming->position() < strlen($data)) {
                try {
                    $kept = substr($kept, 0, $incoming->position()) . $incoming->read(50_000);
                    $incoming->consumed();
                } catch (P4Exception $error) {
                    $incoming = $this->again($incoming, $error);
                }
                $wanted = max($wanted, (int) (strlen($kept) > 500_000));
                while (strlen($kept) > 1_500_000 && $restarts < 1) {
                    Tasks::sleep(0.01);
                }
                $wanted = max($wanted, strlen($kept) > 1_500_000 ? 2 : 0);
            }
            return $incoming;
        }, function () use (&$wanted, &$restarts): void {
            foreach ([$this->two->phoneDaemon, $this->two->laptopDaemon] as $place => $daemon) {
                while ($wanted <= $place) {
                    Tasks::sleep(0.001);
                }
                $daemon->restart();
                $restarts++;
            }
        });
        self::assertTrue($kept === $data);
        [$out, $incoming] = $streams;
        $incoming->closeWriting();
        Tasks::all(fn () => $incoming->waitDone(60), fn () => $out->waitDone(60));
    }

    public function testWhatChangesSomethingIsNotSentTwice(): void
    {
        $this->phone->identity(); // a connection is kept now
        $this->two->phoneDaemon->kill();
        Tasks::all(
            fn () => $this->phone->contact('laptop')->send(1, 'notes'), // nothing could be sent: it waits
            function (): void {
                Tasks::sleep(0.3);
                $this->two->phoneDaemon->launch();
            },
        );
        $message = $this->laptop->messages('notes')->next(60);
        self::assertSame(1, $message?->value());
        $message->done();
        // A call that is under way when the daemon ends may have run.
        $serving = $this->laptop->serve('home', fn ($call) => $call->waitCancelled(30));
        Pair::connected($this->phone, 'laptop');
        [$error] = Tasks::all(
            fn () => $this->assertRefused('connection-lost', fn () => $this->phone->contact('laptop')->call('home')),
            function (): void {
                Tasks::sleep(0.5);
                $this->two->phoneDaemon->kill();
            },
        );
        self::assertTrue($error->mayHaveRun());
        $serving->close();
        $quick = Client::connect($this->two->laptopDaemon->stateDirectory, restartSeconds: 0.3);
        $this->two->laptopDaemon->kill();
        $this->assertRefused('no-daemon', fn () => $quick->identity());
    }

    private function write(string $data): Stream
    {
        $out = $this->laptop->contact('phone')->stream('films', 'long');
        for (;;) {
            try {
                while ($out->written() < strlen($data)) {
                    $out->write(substr($data, $out->written(), 100_000));
                }
                if (!$out->writingEnded()) {
                    $out->closeWriting();
                }
                $out->waitConfirmed(strlen($data)); // what was written is safe only when that is known
                return $out;
            } catch (P4Exception $error) {
                $out = $this->again($out, $error);
            }
        }
    }

    private function again(Stream $stream, P4Exception $error): Stream
    {
        self::assertSame('connection-lost', $error->code(), $error->getMessage());
        return $stream->reopen();
    }
}
