<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Bytes;
use P4\CallFailed;
use P4\Client;
use P4\Client\Data\ContactStatus;
use P4\Client\IncomingCall;
use P4\P4Exception;
use P4\Tasks;
use PHPUnit\Framework\Attributes\RequiresPhpExtension;
use PHPUnit\Framework\TestCase;

/** The client on two real daemons that are paired. */
final class ClientTest extends TestCase
{
    use Refusals;
    use TwoDevices;

    public function testIdentityStatusContactsAndServices(): void
    {
        $me = $this->laptop->identity();
        self::assertMatchesRegularExpression('/^[0-9a-f]{24}$/', $me->id);
        $status = $this->laptop->status();
        self::assertSame([$me->id, 'phone'], [$status->id, $status->contacts[0]->name]);
        $contact = $this->phone->contact('laptop')->status();
        self::assertSame([$me->id, true, 0], [$contact->id, $contact->connected, $contact->queuedMessages]);
        $names = array_map(static fn (ContactStatus $one): string => $one->name, $this->phone->contacts());
        self::assertSame(['laptop'], $names);
        self::assertContainsOnly('bool', array_column($this->laptop->services(), 'servesCalls'));
        self::assertMatchesRegularExpression('/^# HELP /m', $this->laptop->metrics());
        self::assertSame('desk', $this->laptop->renameDevice('desk')->name);
        self::assertContainsOnly('string', array_column($this->laptop->doctor(false)->findings, 'advice'));
        $ours = $this->laptop->contact('phone')->verification();
        $theirs = $this->phone->contact($me->id)->verification();
        self::assertCount(6, $ours->words);
        self::assertSame($ours->words, $theirs->words);
        self::assertSame('verified', $this->laptop->contact('phone')->verify($ours->publicKey)->verification);
        self::assertSame($me->publicKey, $this->laptop->rotation()->publicKey);
    }

    public function testGrantsNamesAndPolicies(): void
    {
        $phone = $this->laptop->contact('phone');
        self::assertContains('more', $phone->grant('more'));
        self::assertNotContains('more', $phone->revoke('more'));
        $this->assertRefused('unknown', fn () => $phone->revoke('more'));
        self::assertSame('téléphone', $phone->rename('téléphone')->name);
        $renamed = $this->laptop->contact('Téléphone');
        $renamed->setPolicy('direct');
        $renamed->rename('phone');
        self::assertSame('direct', $phone->status()->policy);
    }

    public function testMessagesArriveInOrderWithTheirValues(): void
    {
        $values = ['é😀', ['a' => [1, null, true, 1.0, 0.1], 'snake_case' => new \stdClass()], new Bytes("\0\xff"), null,
            [], '', 9007199254740993, new Bytes('')];
        $phone = $this->laptop->contact('phone');
        $receipts = $phone->sendMany(array_slice($values, 0, 3), 'notes');
        foreach (array_slice($values, 3) as $value) {
            $receipts[] = $phone->send($value, 'notes');
        }
        $arrived = [];
        foreach ($this->phone->messages('notes') as $message) {
            self::assertSame('laptop', $message->contact->name);
            $arrived[] = $message->value();
            $message->done();
            if (count($arrived) === count($values)) {
                break;
            }
        }
        $values[1] = (object) $values[1];
        self::assertEquals($values, $arrived);
        self::assertSame([1, null, true, 1.0, 0.1], $arrived[1]->a);
        foreach ($receipts as $receipt) {
            $receipt->consumed(30);
        }
        self::assertSame('consumed', $receipts[0]->state());
    }

    public function testWhatWasNotDoneComesAgainToTheNextReader(): void
    {
        $this->laptop->contact('phone')->sendMany([1, 2, 3], 'notes');
        $first = $this->phone->messages('notes', 'laptop');
        $first->next()?->done();
        $second = $first->next();
        self::assertSame(2, $second?->value());
        $first->close();
        $second->done(); // nobody's any more, as it comes to the next reader
        $again = [];
        foreach ($this->phone->contact('laptop')->messages('notes') as $message) {
            $again[] = $message->value();
            $message->doneSoon(); // leaving the loop tells the daemon
            if (count($again) === 2) {
                break;
            }
        }
        self::assertSame([2, 3], $again);
        $reader = $this->phone->messages('notes');
        self::assertNull($reader->next(0.2));
        $this->laptop->contact('phone')->send(['to' => 'last'], 'notes', latest: 'key');
        $last = $reader->next();
        self::assertSame([['to' => 'last'], 'key'], [$last?->array(), $last?->key]);
        $last->done();
        $last->done();
        self::assertNull($reader->next(0.2));
    }

    /** @requires extension pcntl */
    #[RequiresPhpExtension('pcntl')]
    public function testASignalEndsAWorker(): void
    {
        $reader = $this->phone->messages('notes');
        $before = pcntl_async_signals(true);
        pcntl_signal(SIGALRM, static fn () => $reader->close());
        pcntl_alarm(1);
        try {
            self::assertSame([], iterator_to_array($reader));
        } finally {
            pcntl_signal(SIGALRM, SIG_DFL);
            pcntl_async_signals($before);
        }
    }

    public function testManyMessagesInFewRequests(): void
    {
        $values = array_map(static fn (int $number) => ['n' => $number, 'x' => str_repeat('x', 5000)], range(1, 700));
        $ids = [];
        foreach ($this->laptop->contact('phone')->sendAll($values, 'notes') as $place => $receipt) {
            self::assertSame(count($ids), $place);
            $ids[] = $receipt->id;
        }
        $arrived = [];
        foreach ($this->phone->messages('notes', window: 256) as $message) {
            $arrived[] = $message->id;
            self::assertSame(count($arrived), $message->array()['n']);
            $message->doneSoon();
            if (count($arrived) === 700) {
                break;
            }
        }
        self::assertSame($ids, $arrived);
    }

    public function testAMessageThatIsRefusedSaysSo(): void
    {
        $receipt = $this->laptop->contact('phone')->send(1, 'unheard-of');
        try {
            $receipt->delivered(30);
            self::fail('it was delivered');
        } catch (P4Exception $error) {
            self::assertSame('DeliveryError', $error->type());
        }
        $error = $this->assertRefused('in-use', fn () => $this->phone->messages('chat')->next());
        self::assertSame(409, $error->status());
        $this->assertRefused('not-json', fn () => $this->laptop->contact('phone')->send("\xff", 'notes'));
        $waiting = $this->laptop->contact('phone')->send('nobody reads', 'game');
        $this->assertRefused('timeout', fn () => $waiting->consumed(0.3));
    }

    public function testChat(): void
    {
        $receipt = $this->laptop->contact('phone')->send('hello');
        $receipt->delivered(30);
        $entries = $this->phone->chat->page('laptop')->entries;
        $line = $entries[count($entries) - 1];
        self::assertSame(['hello', false, $receipt->id], [$line->text, $line->mine, $line->messageId]);
        $this->phone->chat->markRead('laptop', $line->id);
        $this->phone->chat->typing('laptop');
        self::assertSame(0, $this->phone->chat->conversations()[0]->unread);
        self::assertTrue($this->phone->chat->say('laptop', 'hi')->mine);
        $receipt->consumed(30);
        $this->phone->chat->clear('laptop');
        self::assertSame([], $this->phone->chat->page('laptop')->entries);
    }

    public function testCallsAndHowTheyFail(): void
    {
        $cancelled = false;
        $serving = $this->phone->serve('home', function (IncomingCall $call) use (&$cancelled): mixed {
            if ($call->service === 'home.fail') {
                throw CallFailed::because('too-hot', 'It burns.', ['degrees' => 99]);
            }
            if ($call->service === 'home.bug') {
                throw new \TypeError('private');
            }
            if ($call->service === 'home.slow') {
                self::assertFalse($call->isCancelled());
                $cancelled = $call->waitCancelled(30);
                return null;
            }
            self::assertSame('laptop', $call->contact->name);
            return $call->argument;
        });
        $phone = $this->laptop->contact('phone');
        self::assertEquals((object) ['on' => true], $phone->call('home.light', ['on' => true]));
        self::assertEquals(new Bytes("\1\2"), $phone->call('home.light', new Bytes("\1\2")));
        self::assertNull($phone->call('home'));
        try {
            $phone->call('home.fail');
            self::fail('it did not fail');
        } catch (CallFailed $error) {
            self::assertSame(['too-hot', 'It burns.'], [$error->code(), $error->getMessage()]);
            self::assertSame(['degrees' => 99], $error->serviceData());
        }
        $log = ini_set('error_log', '/dev/null'); // the handler's own
        $error = $this->assertRefused('internal', fn () => $phone->call('home.bug'));
        ini_set('error_log', (string) $log);
        self::assertStringNotContainsString('private', $error->getMessage() . json_encode($error->data()));
        $both = Tasks::all(
            fn () => $this->codeOf(fn () => $phone->call('home.slow', deadlineSeconds: 0.5)),
            fn () => $phone->call('home.light', 'meanwhile'),
        );
        self::assertSame('meanwhile', $both[1]);
        self::assertNotSame('ok', $both[0]);
        $serving->run(1);
        self::assertTrue($cancelled);
        $this->assertRefused('already-served', fn () => $this->phone->serve('home', fn () => null));
        $serving->close();
        self::assertFalse($serving->run());
        self::assertStringStartsWith('Call', $this->errorOf(fn () => $phone->call('home.light', 1))->type());
    }

    public function testEvents(): void
    {
        $events = $this->laptop->events(['contact.renamed', 'feed.opened']);
        self::assertSame('feed.opened', $events->next(10)?->kind);
        $this->laptop->contact('phone')->rename('handset');
        $renamed = $events->next(10);
        self::assertSame(['contact.renamed', 'handset'], [$renamed?->kind, $renamed?->data['contact']['name']]);
        $this->laptop->contact('handset')->rename('phone');
        foreach ($events as $event) {
            self::assertSame('phone', $event->data['contact']['name']);
            break;
        }
        self::assertNull($events->next());
        self::assertNull($this->laptop->events(['forward.added'])->next(0.2));
    }

    public function testTokensOverTcp(): void
    {
        [$url, $owner] = self::$two->laptopDaemon->overTcp();
        $made = $this->laptop->newToken('notes', ['notes'], expiresInSeconds: 600);
        self::assertSame(['notes'], $made->services);
        $app = Client::connect(url: $url, token: $made->token);
        $app->contact('phone')->send(['to' => 'tcp'], 'notes')->delivered(30);
        $error = $this->assertRefused('not-granted', fn () => $app->contact('phone')->call('home'));
        self::assertSame(403, $error->status());
        $this->assertRefused('owner-only', fn () => $app->tokens());
        $this->assertRefused('not-granted', fn () => $app->datagrams('game'));
        $this->laptop->revokeToken($made->id);
        self::assertSame(401, $this->errorOf(fn () => $app->identity())->status());
        $all = Client::connect(url: "$url/", token: $owner);
        self::assertNotContains($made->id, array_column($all->tokens(), 'id'));
        self::assertStringStartsWith('http://127.0.0.1', $all->webLogin()->url);
        $all->close();
        $this->phone->messages('notes')->next(10)?->done();
    }

    public function testErrorsOfTheWay(): void
    {
        $this->assertRefused('no-daemon', fn () => Client::connect('/nowhere/p4'));
        $this->assertRefused('no-daemon', fn () => Client::connect(url: 'http://127.0.0.1:1', token: 'x'));
        $this->assertRefused('bad-endpoint', fn () => Client::connect(token: 'x'));
        $this->assertRefused('bad-endpoint', fn () => Client::connect(url: 'ftp://127.0.0.1'));
        $this->assertRefused('bad-endpoint', fn () => Client::connect(url: 'http://127.0.0.1:1', token: "a\r\nb: c"));
        $this->assertRefused('unknown', fn () => $this->laptop->contact('tabet')->status(), 'ContactError');
        $this->assertRefused('bad-name', fn () => $this->laptop->contact('a/b'));
        $this->assertRefused('bad-name', fn () => $this->laptop->messages('..'));
        $wait = fn () => $this->laptop->request('GET', '/v1/messages/notes/next', timeoutSeconds: 0.2);
        self::assertTrue($this->assertRefused('no-answer', $wait)->mayHaveRun());
        self::assertSame(413, $this->errorOf(
            fn () => $this->laptop->contact('phone')->send(str_repeat('x', 3_000_000), 'notes'),
        )->status());
        $other = self::$two->phoneDaemon->client();
        $this->assertRefused('closed', function () use ($other): void {
            Tasks::all(
                fn () => $other->messages('notes')->next(),
                function () use ($other): void {
                    Tasks::sleep(0.1);
                    $other->close();
                },
            );
        });
        $this->assertRefused('closed', fn () => $other->identity());
    }

    private function codeOf(callable $run): string
    {
        try {
            $run();
            return 'ok';
        } catch (P4Exception $error) {
            return $error->code();
        }
    }
}
