<?php

declare(strict_types=1);

namespace P4\Conformance;

use P4\CallFailed;
use P4\Client\Datagrams;
use P4\Client\Events;
use P4\Client\IncomingCall;
use P4\Client\Json;
use P4\Client\Message;
use P4\Client\Messages;
use P4\Client\Serving;
use P4\Client\Stream;
use P4\P4Exception;
use P4\Tasks;
use P4\Transport\Loop;

/** All that lives on, by its handles. */
final class Channels
{
    /** @var array<string, Messages> */
    private array $messages = [];
    /** @var array<string, Message> by handle, contact and id */
    private array $given = [];
    /** @var array<string, Serving> */
    private array $servings = [];
    /** @var array<string, int> calls that were cancelled and not told of yet */
    private array $cancelled = [];
    /** @var array<string, HeldStream> */
    private array $streams = [];
    /** @var array<string, Datagrams> */
    private array $datagrams = [];
    /** @var array<string, Events> */
    private array $events = [];

    public function __construct(private readonly Device $device)
    {
    }

    public function close(): void
    {
        foreach ([...$this->servings, ...array_values($this->datagrams), ...array_values($this->events)] as $open) {
            $open->close();
        }
        foreach ($this->streams as $held) {
            $held->stream->detach();
        }
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    public function operations(): array
    {
        return $this->ofMessages() + $this->ofServing() + $this->ofStreams() + $this->ofDatagrams() + $this->ofEvents();
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    private function ofMessages(): array
    {
        return [
            'messages.open' => function (object $given): array {
                $client = $this->device->client($given);
                $this->messages[$given->messages] = $client->messages($given->service, $given->contact ?? null);
                return [];
            },
            'messages.next' => function (object $given): array {
                $message = $this->messages[$given->messages]->next($given->timeout_seconds)
                    ?? throw self::timeout('message');
                $this->given["$given->messages {$message->contact->id} $message->id"] = $message;
                return [
                    'contact' => Protocol::contact($message->contact),
                    'id' => $message->id,
                    'service' => $message->service,
                    'key' => $message->key,
                ] + Json::value($message->value());
            },
            'messages.done' => function (object $given): array {
                $name = "$given->messages $given->contact_id $given->message_id";
                $this->given[$name]->done();
                unset($this->given[$name]);
                return [];
            },
            'messages.close' => fn (object $given) => (array) $this->messages[$given->messages]->close(),
        ];
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    private function ofServing(): array
    {
        return [
            'serving.open' => function (object $given): array {
                $name = $given->serving;
                $this->cancelled[$name] = 0;
                $handler = fn (IncomingCall $call): mixed => $this->answer($name, $call);
                $this->servings[$name] = $this->device->client($given)->serve($given->service, $handler);
                return [];
            },
            'serving.cancelled' => function (object $given): array {
                $until = Loop::now() + $given->timeout_seconds;
                while ($this->cancelled[$given->serving] === 0) {
                    Loop::now() < $until ? Tasks::sleep(0.01) : throw self::timeout('call was cancelled');
                }
                $this->cancelled[$given->serving]--;
                return [];
            },
            'serving.close' => function (object $given): array {
                $this->servings[$given->serving]->close();
                $this->servings[$given->serving]->run();
                return [];
            },
        ];
    }

    private function answer(string $serving, IncomingCall $call): mixed
    {
        switch (substr($call->service, (int) strrpos(".$call->service", '.'))) {
            case 'echo':
                return $call->argument;
            case 'who':
                return $call->contact->name;
            case 'fail':
                throw CallFailed::because('too-hot', 'It burns.', ['degrees' => 99]);
            case 'slow':
                $call->waitCancelled(null);
                $this->cancelled[$serving]++;
                return null;
            default:
                throw new \LogicException('private');
        }
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    private function ofStreams(): array
    {
        $stream = fn (object $given): Stream => $this->streams[$given->stream]->stream;
        return [
            'stream.open' => function (object $given): array {
                $opened = $this->device->contact($given)->stream($given->service, $given->name);
                $this->streams[$given->stream] = new HeldStream($opened);
                return ['id' => $opened->id, 'written' => $opened->written(), 'position' => $opened->position()];
            },
            'stream.accept' => function (object $given): array {
                $client = $this->device->client($given);
                $found = $client->nextStream($given->service, $given->contact ?? null, $given->timeout_seconds);
                $this->streams[$given->stream] = new HeldStream($found);
                return ['id' => $found->id, 'contact' => Protocol::contact($found->contact), 'name' => $found->name,
                    'written' => $found->written(), 'position' => $found->position()];
            },
            'stream.write' => fn (object $given) => (array) $stream($given)->write(
                (string) base64_decode($given->bytes_b64, true),
            ),
            'stream.flush' => function (object $given) use ($stream): array {
                $stream($given)->flush();
                return ['written' => $stream($given)->written()];
            },
            'stream.end' => fn (object $given) => (array) $stream($given)->closeWriting(),
            'stream.read' => function (object $given): array {
                [$data, $atEnd] = $this->streams[$given->stream]->read($given->length, $given->timeout_seconds);
                return ['bytes_b64' => base64_encode($data), 'at_end' => $atEnd];
            },
            'stream.resume' => function (object $given) use ($stream): array {
                $this->streams[$given->stream]->resume();
                return ['written' => $stream($given)->written(), 'position' => $stream($given)->position()];
            },
            'stream.confirmed' => fn (object $given) => (array) $stream($given)->waitConfirmed(
                $given->offset,
                $given->timeout_seconds,
            ),
            'stream.done' => fn (object $given) => (array) $stream($given)->waitDone($given->timeout_seconds),
            'stream.reset' => fn (object $given) => (array) $stream($given)->reset($given->reason),
            'stream.detach' => fn (object $given) => (array) $stream($given)->detach(),
        ];
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    private function ofDatagrams(): array
    {
        return [
            'datagrams.open' => function (object $given): array {
                $this->datagrams[$given->datagrams] = $this->device->client($given)->datagrams($given->service);
                return [];
            },
            'datagrams.send' => fn (object $given) => (array) $this->datagrams[$given->datagrams]->send(
                $given->contact,
                (string) base64_decode($given->bytes_b64, true),
            ),
            'datagrams.next' => function (object $given): array {
                $datagram = $this->datagrams[$given->datagrams]->next($given->timeout_seconds)
                    ?? throw self::timeout('datagram');
                $contact = Protocol::contact($datagram->contact);
                return ['contact' => $contact, 'bytes_b64' => base64_encode($datagram->data)];
            },
            'datagrams.close' => fn (object $given) => (array) $this->datagrams[$given->datagrams]->close(),
        ];
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    private function ofEvents(): array
    {
        return [
            'events.open' => function (object $given): array {
                $events = $this->device->client($given)->events([Events::OPENED, ...$given->types]);
                $events->next();
                $this->events[$given->events] = $events;
                return [];
            },
            'events.next' => function (object $given): array {
                $until = Loop::now() + $given->timeout_seconds;
                do {
                    $event = $this->events[$given->events]->next(max(0.0, $until - Loop::now()))
                        ?? throw self::timeout('event');
                } while ($event->kind === Events::OPENED);
                return ['type' => $event->kind, 'data' => $event->data];
            },
            'events.close' => fn (object $given) => (array) $this->events[$given->events]->close(),
        ];
    }

    private static function timeout(string $what): P4Exception
    {
        return new P4Exception('timeout', "No $what in this time.");
    }
}
